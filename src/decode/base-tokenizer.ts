import { checkVocabulary, createTokenizer, type Tokenizer } from "../data/tokenizer.ts";
import type { BaseModel } from "../model/base-model.ts";

/** Opens the tokenizer of a base model. @throws UserError of kind `model` where its ids go beyond the embedding. */
export function openTokenizer({
  modelConfig,
  tokenizerFiles,
}: Pick<BaseModel, "modelConfig" | "tokenizerFiles">): Tokenizer {
  const tokenizer = createTokenizer({
    ...tokenizerFiles,
    model: { bos_token_id: modelConfig.bosTokenId, eos_token_id: modelConfig.eosTokenIds },
  });
  checkVocabulary(tokenizer, modelConfig.vocabSize);
  return tokenizer;
}

/** Lists the tokens that end an answer: those of config.json, generation_config.json and the tokenizer. */
export function stopTokensOf(
  { modelConfig, tokenizerFiles }: Pick<BaseModel, "modelConfig" | "tokenizerFiles">,
  tokenizer: Tokenizer,
): ReadonlySet<number> {
  const listed = [tokenizerFiles.generationConfig?.["eos_token_id"]].flat().filter((id) => typeof id === "number");
  return new Set([...modelConfig.eosTokenIds, ...listed, ...(tokenizer.eos === undefined ? [] : [tokenizer.eos.id])]);
}
