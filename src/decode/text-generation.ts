import type { Params } from "../tensor/params.ts";
import { stream } from "../tensor/random.ts";
import type { Decoder } from "./decoder.ts";
import { generate, type FinishReason, type GenerationOptions } from "./generation.ts";
import type { Tokenizer } from "../data/tokenizer.ts";

export interface TextGenerationOptions extends Omit<GenerationOptions, "random" | "isComplete" | "batchSize"> {
  /** What is drawn follows from it, the prompt's place in the list (or its number in `draws`) and the token's in the answer. */
  readonly seed: number;
  /** For prompts that are a part of a longer list: a number for each, which stands for its place. */
  readonly draws?: readonly number[] | undefined;
  /** An answer ends before the first of these, even where one lies across tokens. */
  readonly stop: readonly string[];
  readonly batchSize?: number | undefined;
  /** Gets each answer piece by piece as it grows; the pieces of a prompt together are its text. */
  readonly onText?: ((piece: string, prompt: number) => void) | undefined;
  /** Hears of each answer when it is complete. */
  readonly onAnswer?: (() => void) | undefined;
}

export interface GeneratedText {
  readonly text: string;
  /** Tokens the model chose, those of a stop string included, a stop token not. */
  readonly tokens: number;
  readonly finish: FinishReason;
}

const BATCH_SIZE = 8;

/** Answers tokenised prompts, in their order. */
export async function generateTexts(
  decoder: Decoder,
  adapter: Params,
  prompts: readonly Int32Array[],
  tokenizer: Pick<Tokenizer, "decode">,
  { seed, draws, stop, onText, onAnswer, batchSize = BATCH_SIZE, ...options }: TextGenerationOptions,
): Promise<GeneratedText[]> {
  const answers = prompts.map(
    (_, prompt) => new GrowingText(tokenizer, stop, onText && ((piece) => onText(piece, prompt))),
  );
  const reasons: FinishReason[] = [];
  const random = (prompt: number, position: number) => stream(seed, "generation", draws?.[prompt] ?? prompt, position);
  const isComplete = (prompt: number): boolean => answers[prompt]!.complete;
  for await (const event of generate(decoder, adapter, prompts, { ...options, batchSize, random, isComplete })) {
    if ("token" in event) answers[event.prompt]!.add(event.token);
    else {
      answers[event.prompt]!.end();
      reasons[event.prompt] = event.finish;
      onAnswer?.();
    }
  }
  return answers.map(({ text, tokens }, i) => ({ text, tokens, finish: reasons[i]! }));
}

/** A text that grows by tokens up to a stop string. What may be the beginning of one is held back until it is not. */
class GrowingText {
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
