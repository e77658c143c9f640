import { createTokenizer, type Tokenizer, type TokenizerDefinition, withinEmbedding } from "../data/tokenizer.ts";
import type { BaseModel } from "../model/base-model.ts";

/** The files that define the tokenizer of a base model. */
export function tokenizerDefinition({
  modelConfig,
  tokenizerFiles,
}: Pick<BaseModel, "modelConfig" | "tokenizerFiles">): TokenizerDefinition {
  return {
    ...tokenizerFiles,
    model: { bos_token_id: modelConfig.bosTokenId, eos_token_id: modelConfig.eosTokenIds },
  };
}

/** Opens the tokenizer of a base model. A text with a token beyond the embedding is refused when it is encoded. */
export function openTokenizer(base: Pick<BaseModel, "modelConfig" | "tokenizerFiles">): Tokenizer {
  return withinEmbedding(createTokenizer(tokenizerDefinition(base)), base.modelConfig.vocabSize);
}

/** Lists the tokens that end an answer: those of config.json, generation_config.json and the tokenizer. */
export function stopTokensOf(
  { modelConfig, tokenizerFiles }: Pick<BaseModel, "modelConfig" | "tokenizerFiles">,
  tokenizer: Tokenizer,
): ReadonlySet<number> {
  const listed = [tokenizerFiles.generationConfig?.["eos_token_id"]].flat().filter((id) => typeof id === "number");
  return new Set([...modelConfig.eosTokenIds, ...listed, ...(tokenizer.eos === undefined ? [] : [tokenizer.eos.id])]);
}
