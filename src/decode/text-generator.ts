import type { Message } from "../data/messages.ts";
import { TEMPLATES, type TemplateName } from "../data/template.ts";
import type { Tokenizer } from "../data/tokenizer.ts";
import { encodeMessages } from "../data/tokens.ts";
import type { Params } from "../tensor/params.ts";
import { stream } from "../tensor/random.ts";
import { type Continuations, scoreContinuations } from "./continuations.ts";
import type { Decoder } from "./decoder.ts";
import { type FinishReason, generate } from "./generation.ts";
import { GrowingText } from "./growing-text.ts";
import { type Likelihoods, likelihoods } from "./likelihood.ts";
import { scorePrompt } from "./prompt.ts";
import { type ScoredText, scoredText } from "./scored-text.ts";
import { GREEDY, type TokenSampling } from "./token-sampling.ts";
import type { TokenScore } from "./token-score.ts";

export interface TextGeneratorOptions {
  readonly decoder: Decoder;
  /** An adapter of the decoder's shape; empty for a decoder of the bare base. */
  readonly adapter: Params;
  readonly tokenizer: Tokenizer;
  /** Tokens that end an answer. */
  readonly stopTokens: ReadonlySet<number>;
  readonly template: TemplateName;
  /** System message of conversations that have none, where the template has a place for one. */
  readonly system?: string | undefined;
}

/** Settings of a generation. Default: greedy. */
export interface TextOptions extends Partial<TokenSampling> {
  readonly maxNewTokens: number;
  /** Draws depend on it, on the prompt's place in the list (or its number in `draws`) and on the token's place in the answer. */
  readonly seed: number;
  /** For prompts from a longer list: a number for each, in the place of its index. */
  readonly draws?: readonly number[] | undefined;
  /** An answer ends before the first of these strings, also where one lies across tokens. Default: none. */
  readonly stop?: readonly string[] | undefined;
  /**
   * True: an answer continues its prompt's text and keeps a space at its start. False: it is a text by itself. Default: false
   * with a chat template, otherwise true.
   */
  readonly continues?: boolean | undefined;
  /** Scores each token of an answer, with so many of the likeliest beside it. Default: no scores. */
  readonly alternatives?: number | undefined;
  /** Number of prompts that run at once; default 8. */
  readonly batchSize?: number | undefined;
  /** Gets each answer piece by piece as it grows; the pieces of a prompt together are its text. */
  readonly onText?: ((piece: string, prompt: number) => void) | undefined;
  /** Called when an answer is complete. */
  readonly onAnswer?: (() => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface GeneratedText {
  readonly text: string;
  /** Number of tokens that the model chose; with those of a stop string, without a stop token. */
  readonly tokens: number;
  readonly finish: FinishReason;
  /** The tokens of the text with their scores, if `alternatives` asked for them. */
  readonly scored?: ScoredText;
}

const BATCH_SIZE = 8;

/**
 * Generates text with a base model, one adapter, a tokenizer and a template. `openInferenceEngine` makes generators. Calls
 * may overlap, but calls of `likelihoods` must not.
 */
export class TextGenerator {
  readonly tokenizer: Tokenizer;
  readonly stopTokens: ReadonlySet<number>;
  readonly template: TemplateName;
  readonly system: string | undefined;
  /** Longest sequence in tokens, prompt and answer together. */
  readonly maxLength: number;
  /**
   * Scores a few answers to a prompt, each by the sum of its tokens' log-probabilities, nats. The beginning that a prompt
   * shares with the one before it is not read again.
   */
  readonly likelihoods: Likelihoods;
  readonly #decoder: Decoder;
  readonly #adapter: Params;

  constructor({ decoder, adapter, tokenizer, stopTokens, template, system }: TextGeneratorOptions) {
    this.tokenizer = tokenizer;
    this.stopTokens = stopTokens;
    this.template = template;
    this.system = system;
    this.maxLength = decoder.maxLength;
    this.likelihoods = likelihoods(decoder, adapter);
    this.#decoder = decoder;
    this.#adapter = adapter;
  }

  /** Encodes a conversation up to its next answer. @throws UserError for turns that do not fit the template. */
  encode(messages: readonly Message[]): Int32Array {
    return encodeMessages(messages, TEMPLATES[this.template], this.tokenizer, { system: this.system });
  }

  /** Answers tokenised prompts, in their order. */
  async generate(prompts: readonly Int32Array[], options: TextOptions): Promise<GeneratedText[]> {
    const { seed, draws, continues, stop = [], onText, onAnswer, batchSize = BATCH_SIZE, ...others } = options;
    const scores = prompts.map((): { token: number; score: TokenScore }[] => []);
    const goesOn = continues ?? this.template !== "chat";
    const answers = prompts.map((tokens, prompt) => {
      const before = goesOn ? tokens.at(-1) : undefined;
      return new GrowingText({
        tokenizer: this.tokenizer,
        before,
        stop,
        onPiece: onText && ((piece) => onText(piece, prompt)),
      });
    });
    const reasons: FinishReason[] = [];
    const generated = generate(this.#decoder, this.#adapter, prompts, {
      ...GREEDY,
      ...others,
      batchSize,
      stopTokens: new Set([...this.stopTokens, ...this.#stopTokensIn(stop)]),
      random: (prompt, position) => stream(seed, "generation", draws?.[prompt] ?? prompt, position),
      isComplete: (prompt) => answers[prompt]!.complete,
    });
    for await (const event of generated) {
      if ("token" in event) {
        const { prompt, token, score } = event;
        answers[prompt]!.add(token);
        if (score !== undefined) scores[prompt]!.push({ token, score });
      } else {
        answers[event.prompt]!.end();
        reasons[event.prompt] = event.finish;
        onAnswer?.();
      }
    }
    return answers.map(({ text, tokens }, i) => {
      const answer = { text, tokens, finish: reasons[i]! };
      if (options.alternatives === undefined) return answer;
      const before = goesOn ? prompts[i]!.at(-1) : undefined;
      return {
        ...answer,
        scored: scoredText(scores[i]!, { tokenizer: this.tokenizer, before, length: Array.from(text).length }),
      };
    });
  }

  /** Scores the tokens of a prompt, each by those before it; the first has no score. */
  async scorePrompt(
    prompt: Int32Array,
    options: { readonly alternatives: number; readonly signal?: AbortSignal | undefined },
  ): Promise<ScoredText> {
    const scores = await scorePrompt(this.#decoder, this.#adapter, prompt, options);
    const tokens = Array.from(prompt, (token, i) => ({ token, score: scores[i - 1] }));
    return scoredText(tokens, { tokenizer: this.tokenizer });
  }

  /** Generates greedily after each prompt: one list of tokens for each, without the stop token. */
  async greedyTokens(
    prompts: readonly Int32Array[],
    { onAnswer, ...options }: Pick<TextOptions, "maxNewTokens" | "onAnswer" | "signal">,
  ): Promise<number[][]> {
    const { stopTokens } = this;
    const answers: number[][] = prompts.map(() => []);
    const greedy = { ...GREEDY, random: () => stream(0), stopTokens, batchSize: BATCH_SIZE };
    for await (const event of generate(this.#decoder, this.#adapter, prompts, { ...greedy, ...options })) {
      if ("token" in event) answers[event.prompt]!.push(event.token);
      else onAnswer?.();
    }
    return answers;
  }

  /** Scores many continuations of one prompt, nats. A beginning that several of them share is run once. */
  async scoreContinuations(work: Continuations): Promise<Float64Array> {
    return scoreContinuations(this.#decoder, this.#adapter, work);
  }

  /** Finds stop strings that are special tokens. An answer's text leaves them out, so they must end it as tokens. */
  #stopTokensIn(stop: readonly string[]): number[] {
    return stop.flatMap((text) => {
      const ids = this.tokenizer.encode(text);
      return ids.length === 1 && this.tokenizer.decode(ids, { skipSpecial: true }) === "" ? ids : [];
    });
  }
}
