import type { Tokenizer } from "../data/tokenizer.ts";
import { type Decode, decodeAfter } from "./decode-after.ts";

export interface GrowingTextOptions {
  readonly tokenizer: Pick<Tokenizer, "decode">;
  /** The token before the first. */
  readonly before?: number | undefined;
  readonly stop: readonly string[];
  readonly onPiece?: ((piece: string) => void) | undefined;
}

/** A text that grows by tokens up to a stop string. Characters that may begin a stop string are held back. */
export class GrowingText {
  text = "";
  complete = false;
  readonly #tokens: number[] = [];
  readonly #decode: (tokens: readonly number[]) => string;
  readonly #stop: readonly string[];
  readonly #onPiece: ((piece: string) => void) | undefined;
  #shown = 0;

  constructor({ tokenizer, before, stop, onPiece }: GrowingTextOptions) {
    const decode = (tokens: readonly number[]): string => tokenizer.decode(tokens, { skipSpecial: true });
    this.#decode = before === undefined ? decode : afterToken(before, tokenizer, decode);
    this.#stop = stop;
    this.#onPiece = onPiece;
  }

  get tokens(): number {
    return this.#tokens.length;
  }

  add(token: number): void {
    this.#tokens.push(token);
    // Without a stop string or a listener, the text is needed only at the end.
    if (this.#stop.length === 0 && this.#onPiece === undefined) return;
    this.#read();
    // A character of several tokens is complete only with its last token.
    if (!this.complete && this.text.endsWith("\uFFFD")) return;
    this.#show(this.text.length - (this.complete ? 0 : this.#heldBack()));
  }

  end(): void {
    if (!this.complete) this.#read();
    this.#show(this.text.length);
  }

  #read(): void {
    const text = this.#decode(this.#tokens);
    const ends = this.#stop.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
    this.complete = ends.length > 0;
    this.text = this.complete ? text.slice(0, Math.min(...ends)) : text;
  }

  /** Finds the length of the longest end of the text that is the beginning of a stop string. */
  #heldBack(): number {
    let longest = 0;
    for (const stop of this.#stop) {
      for (let length = Math.min(stop.length - 1, this.text.length); length > longest; length--) {
        if (this.text.endsWith(stop.slice(0, length))) longest = length;
      }
    }
    return longest;
  }

  #show(end: number): void {
    if (end > this.#shown) this.#onPiece?.(this.text.slice(this.#shown, end));
    this.#shown = Math.max(this.#shown, end);
  }
}

/** Decodes after a token, without special tokens. */
function afterToken(before: number, tokenizer: GrowingTextOptions["tokenizer"], decode: Decode): Decode {
  const all: Decode = (tokens) => tokenizer.decode(tokens);
  const known = new Map<number, boolean>();
  const isSpecial = (token: number): boolean => {
    let special = known.get(token);
    if (special === undefined) known.set(token, (special = decode([token]) === "" && all([token]) !== ""));
    return special;
  };
  // Without a special token in front, here BOS, the space after it would be one at the start of the text.
  const written: Decode = isSpecial(before)
    ? ([first, ...rest]) => all([first!, ...rest.filter((token) => !isSpecial(token))])
    : decode;
  // The bytes of an incomplete character change with the next tokens.
  return written([before]).includes("\uFFFD") ? decode : decodeAfter(before, written, decode);
}
