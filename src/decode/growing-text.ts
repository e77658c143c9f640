import type { Tokenizer } from "../data/tokenizer.ts";

/** A text that grows by tokens up to a stop string. Characters that may begin a stop string are held back until they cannot. */
export class GrowingText {
  text = "";
  complete = false;
  readonly #tokens: number[] = [];
  readonly #tokenizer: Pick<Tokenizer, "decode">;
  readonly #stop: readonly string[];
  readonly #onPiece: ((piece: string) => void) | undefined;
  #shown = 0;

  constructor(tokenizer: Pick<Tokenizer, "decode">, stop: readonly string[], onPiece?: (piece: string) => void) {
    this.#tokenizer = tokenizer;
    this.#stop = stop;
    this.#onPiece = onPiece;
  }

  get tokens(): number {
    return this.#tokens.length;
  }

  add(token: number): void {
    this.#tokens.push(token);
    // Nobody looks before the end.
    if (this.#stop.length === 0 && this.#onPiece === undefined) return;
    this.#read();
    // A character of several tokens is not there until its last one is.
    if (!this.complete && this.text.endsWith("\uFFFD")) return;
    this.#show(this.text.length - (this.complete ? 0 : this.#heldBack()));
  }

  end(): void {
    if (!this.complete) this.#read();
    this.#show(this.text.length);
  }

  #read(): void {
    const text = this.#tokenizer.decode(this.#tokens, { skipSpecial: true });
    const ends = this.#stop.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
    this.complete = ends.length > 0;
    this.text = this.complete ? text.slice(0, Math.min(...ends)) : text;
  }

  /** Length of the longest end of the text that a stop string begins with. */
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
