import { createTokenizer, type Tokenizer, withinEmbedding } from "../data/tokenizer.ts";
import type { BaseModel } from "../model/base-model.ts";

/** Opens the tokenizer of a base model. A text with a token beyond the embedding is refused when it is encoded. */
export function openTokenizer({
  modelConfig,
  tokenizerFiles,
}: Pick<BaseModel, "modelConfig" | "tokenizerFiles">): Tokenizer {
  const tokenizer = createTokenizer({
    ...tokenizerFiles,
    model: { bos_token_id: modelConfig.bosTokenId, eos_token_id: modelConfig.eosTokenIds },
  });
  return withinEmbedding(tokenizer, modelConfig.vocabSize);
}

/** Lists the tokens that end an answer: those of config.json, generation_config.json and the tokenizer. */
export function stopTokensOf(
  { modelConfig, tokenizerFiles }: Pick<BaseModel, "modelConfig" | "tokenizerFiles">,
  tokenizer: Tokenizer,
): ReadonlySet<number> {
  const listed = [tokenizerFiles.generationConfig?.["eos_token_id"]].flat().filter((id) => typeof id === "number");
  return new Set([...modelConfig.eosTokenIds, ...listed, ...(tokenizer.eos === undefined ? [] : [tokenizer.eos.id])]);
}
