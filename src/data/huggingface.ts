import { Tokenizer } from "@huggingface/tokenizers";
import { quicken } from "./quick-library.ts";

/**
 * The part of `@huggingface/tokenizers` that is used. It is declared here because the package's own declarations import
 * without file extensions, which NodeNext resolves to `any`.
 */
export interface LibraryTokenizer {
  /** Null where `tokenizer.json` has none. */
  readonly normalizer: { normalize(text: string): string } | null;
  encode(text: string, options: { readonly add_special_tokens: boolean }): { ids: number[]; tokens: string[] };
  /** Throws on an empty list. */
  decode(
    ids: number[],
    options: { readonly skip_special_tokens: boolean; readonly clean_up_tokenization_spaces: boolean },
  ): string;
  token_to_id(token: string): number | undefined;
  id_to_token(id: number): string | undefined;
  get_vocab(): Map<string, number>;
  get_added_tokens_decoder(): Map<number, { readonly content: string; readonly normalized: boolean }>;
}

/** Opens a tokenizer of the library. @throws the library's error for a tokenizer.json that it does not know. */
export function openLibraryTokenizer(tokenizerJson: unknown, tokenizerConfig: unknown): LibraryTokenizer {
  const tokenizer = new Tokenizer(tokenizerJson, tokenizerConfig);
  quicken(tokenizer);
  return tokenizer as LibraryTokenizer;
}
