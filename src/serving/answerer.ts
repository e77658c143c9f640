import { Semaphore } from "../concurrency/semaphore.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { excerpt } from "../diagnostics/excerpt.ts";
import { nearest } from "../diagnostics/nearest.ts";
import type { Message } from "../data/messages.ts";
import { TEMPLATES, type TemplateName } from "../data/template.ts";
import { encodeMessages } from "../data/tokens.ts";
import { openInferenceEngine } from "../decode/inference-engine.ts";
import type { ScoredText } from "../decode/scored-text.ts";
import type { GeneratedText, TextGenerator, TextOptions } from "../decode/text-generator.ts";
import type { Adapter } from "../model/adapter.ts";
import type { BaseModel } from "../model/base-model.ts";
import { zerosLike } from "../tensor/params.ts";
import type { Runtime } from "../train/runtime.ts";

export interface AnswererOptions {
  readonly runtime: Runtime;
  readonly base: BaseModel;
  /** What the base was opened by: another name for it in requests. Default: none. */
  readonly reference?: string | undefined;
  /** Adapters that fit the base, by their names; undefined: the base under another name. */
  readonly adapters: readonly { readonly name: string; readonly adapter: Adapter | undefined }[];
  readonly template: TemplateName;
  /** Tokens of prompt and answer together, at most the model's number of positions. */
  readonly maxLength: number;
}

export type AnswerOptions = Omit<TextOptions, "batchSize" | "draws" | "onAnswer">;

/** A base and any number of adapters that answer under their names, several requests at a time. */
export interface Answerer {
  /** The base's name, then those of the adapters. */
  readonly names: readonly [base: string, ...adapters: string[]];
  /** Another name of the base: the reference that it was opened by. */
  readonly reference?: string | undefined;
  /** Longest sequence in tokens, prompt and answer together. */
  readonly maxLength: number;
  /** True where the template puts earlier turns before a question; otherwise every question stands alone. */
  readonly holdsConversations: boolean;
  /** Encodes a text as it stands, after the tokens that the tokenizer puts before a text. */
  encodeText(text: string): Int32Array;
  /** Number of tokens that `encodeText` puts before a text. */
  readonly tokensBeforeText: number;
  /** The text of tokens, special ones as they are spelled. */
  decodeTokens(ids: Iterable<number>): string;
  /** Makes a prompt of tokens. Throws a `UserError` for a token outside the vocabulary. */
  encodeTokens(ids: readonly number[]): Int32Array;
  /** Encodes a conversation. Throws a `UserError` for turns the template cannot hold. */
  encodeConversation(messages: readonly Message[]): Int32Array;
  /**
   * Answers prompts, in their order. Answers of different calls advance in turn, token by token, each as if it were alone.
   * @throws UserError of kind `config` for an unknown name, or a prompt that leaves no token for an answer.
   */
  answer(name: string, prompts: readonly Int32Array[], options: AnswerOptions): Promise<GeneratedText[]>;
  /** Scores the tokens of a prompt, each by those before it. @throws UserError of kind `config` for an unknown name. */
  scorePrompt(
    name: string,
    prompt: Int32Array,
    options: { readonly alternatives: number; readonly signal?: AbortSignal | undefined },
  ): Promise<ScoredText>;
  /** Stops every answer that is being generated, and closes the model. */
  dispose(): Promise<void>;
}

/** Sequences that are generated at once; each has a cache of keys and values. */
const MOST_AT_ONCE = 8;
/** Prompts of one call that are generated at once; they share each step. */
const BATCH_SIZE = 8;

/** Opens a base with adapters. @throws UserError of kind `config` for a name given twice. */
export async function openAnswerer({
  runtime,
  base,
  reference,
  adapters,
  ...options
}: AnswererOptions): Promise<Answerer> {
  const names: [string, ...string[]] = [base.name, ...adapters.map(({ name }) => name)];
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) throw nameTwice(twice);
  const engine = openInferenceEngine({ runtime, base, ...options });
  const { tokenizer, maxLength } = engine;
  const template = TEMPLATES[options.template];
  const generators = new Map<string, TextGenerator>();
  for (const { name, adapter } of adapters) generators.set(name, await engine.withAdapter(adapter));
  // A decoder holds a copy of the weights, so the base shares an adapter's where there is one.
  const [first] = adapters.flatMap(({ adapter }) => adapter ?? []);
  const untouched = first && { shape: first.shape, params: zerosLike(first.params) };
  generators.set(base.name, await engine.withAdapter(untouched));
  const rows = new Semaphore(MOST_AT_ONCE);
  const calls = new Set<{ readonly stop: () => void; readonly ended: Promise<unknown> }>();
  const generatorOf = (name: string): TextGenerator => {
    const generator = generators.get(name);
    if (generator === undefined) throw noSuchName(name, names);
    return generator;
  };
  /** Does work that needs so many rows once they are free. `dispose` stops it, and so does the given signal. */
  const withRows = async <T>(
    count: number,
    signal: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> => {
    const stopping = new AbortController();
    const stop = (): void => stopping.abort();
    if (signal?.aborted === true) stop();
    signal?.addEventListener("abort", stop);
    const started = async (): Promise<T> => {
      const release = await rows.acquire(count, stopping.signal);
      try {
        return await work(stopping.signal);
      } finally {
        release();
      }
    };
    const call = { stop, ended: started() };
    calls.add(call);
    try {
      return await call.ended;
    } finally {
      calls.delete(call);
      signal?.removeEventListener("abort", stop);
    }
  };

  return {
    names,
    reference,
    maxLength,
    holdsConversations: template.holdsConversations,
    encodeText: (text) => Int32Array.from([...tokenizer.prefix, ...tokenizer.encode(text)]),
    tokensBeforeText: tokenizer.prefix.length,
    decodeTokens: (ids) => tokenizer.decode(ids, { skipSpecial: false }),
    encodeTokens(ids) {
      const { vocabSize } = base.modelConfig;
      const unknown = ids.find((id) => id >= vocabSize);
      if (unknown === undefined) return Int32Array.from(ids);
      throw new UserError("config", `token ${unknown} is not in the vocabulary, which ends at ${vocabSize - 1}`);
    },
    encodeConversation: (messages) => encodeMessages(messages, template, tokenizer),
    async answer(name, prompts, { signal, ...how }) {
      const generator = generatorOf(name);
      for (const { length } of prompts) if (length >= maxLength) throw tooLong(length, maxLength);
      const batchSize = Math.min(BATCH_SIZE, prompts.length);
      return withRows(batchSize, signal, (stopped) =>
        generator.generate(prompts, { ...how, batchSize, signal: stopped }),
      );
    },
    async scorePrompt(name, prompt, { alternatives, signal }) {
      const generator = generatorOf(name);
      return withRows(1, signal, (stopped) => generator.scorePrompt(prompt, { alternatives, signal: stopped }));
    },
    async dispose() {
      for (const { stop } of calls) stop();
      await Promise.allSettled([...calls].map(({ ended }) => ended));
      await engine.dispose();
    },
  };
}

function nameTwice(name: string): UserError {
  return new UserError("config", `two models have the name ${name}`, {
    hint: "Give each adapter its own name: NAME=FOLDER.",
  });
}

function noSuchName(name: string, legal: readonly string[]): UserError {
  const near = nearest(name, legal);
  const hint = `Names of models: ${legal.join(", ")}.`;
  return new UserError("config", `there is no model '${excerpt(name)}'`, {
    hint: near === undefined ? hint : `Did you mean '${near}'? ${hint}`,
  });
}

export function tooLong(length: number, maxLength: number): UserError {
  return new UserError("config", `the prompt has ${length} tokens, expected at most ${maxLength - 1}`, {
    hint: "Shorten the prompt or the system message.",
  });
}
