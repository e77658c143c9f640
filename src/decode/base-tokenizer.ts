import { checkVocabulary, createTokenizer, type Tokenizer } from "../data/tokenizer.ts";
import type { BaseModel } from "../model/base-model.ts";

/** Opens the tokenizer of a base model. @throws UserError of kind `model` where its ids go beyond the embedding. */
export function openTokenizer({ config, tokenizerFiles }: Pick<BaseModel, "config" | "tokenizerFiles">): Tokenizer {
  const tokenizer = createTokenizer({
    ...tokenizerFiles,
    model: { bos_token_id: config.bosTokenId, eos_token_id: config.eosTokenIds },
  });
  checkVocabulary(tokenizer, config.vocabSize);
  return tokenizer;
}

/** Lists the tokens that end an answer: those of config.json, generation_config.json and the tokenizer. */
export function stopTokensOf(
  { config, tokenizerFiles }: Pick<BaseModel, "config" | "tokenizerFiles">,
  tokenizer: Tokenizer,
): ReadonlySet<number> {
  const listed = [tokenizerFiles.generationConfig?.["eos_token_id"]].flat().filter((id) => typeof id === "number");
  return new Set([...config.eosTokenIds, ...listed, ...(tokenizer.eos === undefined ? [] : [tokenizer.eos.id])]);
}
