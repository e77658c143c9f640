import type { Tokenizer } from "../data/tokenizer.ts";
import { decodeAfter } from "./decode-after.ts";
import type { TokenScore } from "./token-score.ts";

/** A token as text, after the tokens before it. A part of a character is U+FFFD. */
export interface ScoredToken {
  readonly text: string;
  /** Place of its first character in the text, characters (code points). */
  readonly offset: number;
  /** Nats; undefined for the first token of a text. */
  readonly logProbability: number | undefined;
  /** The likeliest tokens in its place, the likeliest first. */
  readonly likeliest: readonly { readonly text: string; readonly logProbability: number }[];
}

export type ScoredText = readonly ScoredToken[];

interface ScoredTextOptions {
  readonly tokenizer: Pick<Tokenizer, "decode">;
  /** The token before the first; undefined: the first begins a text. */
  readonly before?: number | undefined;
  /** Length of the text in characters (code points); tokens that begin after its end are left out. Default: all tokens. */
  readonly length?: number | undefined;
}

/** Bytes, and so tokens, that a character of UTF-8 has at most. */
const LONGEST_CHARACTER = 4;

/** Gives tokens with scores their texts and places. Special tokens are shown as they are spelled. */
export function scoredText(
  tokens: readonly { readonly token: number; readonly score: TokenScore | undefined }[],
  { tokenizer, before, length = Infinity }: ScoredTextOptions,
): ScoredText {
  const decode = (ids: readonly number[]): string => tokenizer.decode(ids, { skipSpecial: false });
  /** What tokens add to the text after another one. */
  const added = (ids: readonly number[], after: number | undefined): string =>
    after === undefined ? decode(ids) : decodeAfter(after, decode)(ids);
  const scored: ScoredToken[] = [];
  /** Characters before the tokens of a character that is not complete yet. */
  let whole = 0;
  let partial: number[] = [];
  let lead = before;
  for (const { token, score } of tokens) {
    const offset = whole;
    if (offset >= length) break;
    const likeliest = (score?.likeliest ?? []).map((each) => ({
      text: added([each.token], lead),
      logProbability: each.logProbability,
    }));
    scored.push({ text: added([token], lead), offset, logProbability: score?.logProbability, likeliest });
    partial.push(token);
    const text = added(partial, lead);
    if (text.endsWith("\uFFFD") && partial.length < LONGEST_CHARACTER) continue;
    whole += Array.from(text).length;
    partial = [];
    lead = token;
  }
  return scored;
}
