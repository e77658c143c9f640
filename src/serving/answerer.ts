import { UserError } from "../diagnostics/user-error.ts";
import { nearest } from "../diagnostics/nearest.ts";
import type { Message } from "../data/messages.ts";
import { TEMPLATES, type TemplateName } from "../data/template.ts";
import { generateTexts, type GeneratedText, type TextGenerationOptions } from "../decode/text-generation.ts";
import { encodeMessages } from "../data/tokens.ts";
import type { Tokenizer } from "../data/tokenizer.ts";
import { loraShape, openTokenizer, stopTokens } from "../experiment/prepare.ts";
import type { AdapterConfig } from "../model/adapter.ts";
import type { BaseModel } from "../model/base-model.ts";
import { type LoraShape, shapeKey } from "../model/lora.ts";
import { zerosLike, type Params } from "../tensor/params.ts";
import { type Decoder, openDecoder } from "../decode/decoder.ts";
import type { Runtime } from "../train/runtime.ts";
import { Places } from "./places.ts";

/** An adapter that fits the base. */
export interface NamedAdapter {
  readonly name: string;
  readonly config: AdapterConfig;
  readonly params: Params;
}

export interface AnswererOptions {
  readonly runtime: Runtime;
  readonly model: BaseModel;
  /** What the base without an adapter is called. */
  readonly base: string;
  readonly adapters: readonly NamedAdapter[];
  readonly template: TemplateName;
  /** Tokens of prompt and answer together, where the model has positions for so many. */
  readonly maxLength: number;
}

export type AnswerOptions = Omit<TextGenerationOptions, "stopTokens" | "batchSize">;

/** A base and any number of adapters that answer under their names, several requests at a time. */
export interface Answerer {
  /** The base's name, then those of the adapters. */
  readonly names: readonly [base: string, ...adapters: string[]];
  /** Longest sequence in tokens, prompt and answer together. */
  readonly maxLength: number;
  /** Whether the template puts earlier turns before a question, or every question is put by itself. */
  readonly holdsConversations: boolean;
  /** The prompt that a text is, as it stands. */
  encodeText(text: string): Int32Array;
  /** The prompt that tokens are. Throws a `UserError` for one the model does not have. */
  encodeTokens(ids: readonly number[]): Int32Array;
  /** The prompt that a conversation is. Throws a `UserError` for turns the template cannot hold. */
  encodeConversation(messages: readonly Message[]): Int32Array;
  /**
   * Answers prompts, in their order. Answers of different calls advance in turn, token by token, each as if it were alone.
   * @throws UserError of kind `config` for a name there is not, or a prompt that leaves no room for an answer.
   */
  answer(name: string, prompts: readonly Int32Array[], options: AnswerOptions): Promise<GeneratedText[]>;
  /** Stops what is being answered, and lets go of the model. */
  dispose(): Promise<void>;
}

/** Answers that are written at once; each has a cache of keys and values. */
const MOST_AT_ONCE = 8;
/** Of them, prompts of one call: they share each step. */
const BATCH_SIZE = 8;

/** An adapter with the decoder for its shape. */
interface Voice {
  readonly decoder: Decoder;
  readonly adapter: Params;
}

/** Opens one decoder for each LoRA shape among the adapters. @throws UserError of kind `config` for a name given twice. */
export async function openAnswerer({ runtime, model, base, adapters, ...options }: AnswererOptions): Promise<Answerer> {
  const names: [string, ...string[]] = [base, ...adapters.map(({ name }) => name)];
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) throw nameTwice(twice);
  const tokenizer = openTokenizer(model);
  const template = TEMPLATES[options.template];
  const maxLength = Math.min(options.maxLength, model.config.maxPositions);
  const decoders = new Map<string, Decoder>();
  const open = async (lora: LoraShape | undefined): Promise<Decoder> => {
    const key = shapeKey(lora);
    const decoder = decoders.get(key) ?? (await openDecoder({ runtime, ...model, lora, maxLength }));
    decoders.set(key, decoder);
    return decoder;
  };
  const voices = new Map<string, Voice>();
  for (const { name, config, params } of adapters) {
    voices.set(name, { decoder: await open(loraShape(config, model.config)), adapter: params });
  }
  // A decoder holds a copy of the weights, so the base speaks through an adapter's where there is one.
  const [lent] = voices.values();
  const baseVoice: Voice =
    lent === undefined
      ? { decoder: await open(undefined), adapter: new Map() }
      : { decoder: lent.decoder, adapter: zerosLike(lent.adapter) };
  voices.set(base, baseVoice);

  const ends = stopTokens(model, tokenizer);
  const room = new Places(MOST_AT_ONCE);
  // All decoders work with all threads: one step at a time.
  const turns = new Places(1);
  const calls = new Set<{ readonly stop: () => void; readonly ended: Promise<unknown> }>();

  return {
    names,
    maxLength,
    holdsConversations: template.holdsConversations,
    encodeText: (text) => Int32Array.from([...tokenizer.prefix, ...tokenizer.encode(text)]),
    encodeTokens(ids) {
      const { vocabSize } = model.config;
      const alien = ids.find((id) => id >= vocabSize);
      if (alien === undefined) return Int32Array.from(ids);
      throw new UserError("config", `token ${alien} is not in the vocabulary, which ends at ${vocabSize - 1}`);
    },
    encodeConversation: (messages) => encodeMessages(messages, template, tokenizer),
    async answer(name, prompts, { signal, ...options }) {
      const voice = voices.get(name);
      if (voice === undefined) throw noSuchName(name, voices.keys());
      for (const { length } of prompts) if (length >= maxLength) throw tooLong(length, maxLength);
      const stopping = new AbortController();
      const stop = (): void => stopping.abort();
      if (signal?.aborted === true) stop();
      signal?.addEventListener("abort", stop);
      const batchSize = Math.min(BATCH_SIZE, prompts.length);
      const work = async (): Promise<GeneratedText[]> => {
        const leave = await room.take(batchSize, stopping.signal);
        try {
          return await generateTexts(inTurn(voice.decoder, turns), voice.adapter, prompts, tokenizer, {
            ...options,
            ...withStopTokens(options.stop, ends, tokenizer),
            batchSize,
            signal: stopping.signal,
          });
        } finally {
          leave();
        }
      };
      const call = { stop, ended: work() };
      calls.add(call);
      try {
        return await call.ended;
      } finally {
        calls.delete(call);
        signal?.removeEventListener("abort", stop);
      }
    },
    async dispose() {
      for (const { stop } of calls) stop();
      await Promise.allSettled([...calls].map(({ ended }) => ended));
      for (const decoder of decoders.values()) await decoder.dispose();
    },
  };
}

/** A decoder whose steps wait for those of others. */
function inTurn(decoder: Decoder, turns: Places): Decoder {
  return {
    maxLength: decoder.maxLength,
    openCache: (rows, capacity) => decoder.openCache(rows, capacity),
    async extend(...step) {
      const end = await turns.take();
      try {
        return await decoder.extend(...step);
      } finally {
        end();
      }
    },
    dispose: () => decoder.dispose(),
  };
}

/** Special tokens are left out of an answer's text, so a stop string that is one ends answers as a token. */
function withStopTokens(
  stop: readonly string[],
  ends: ReadonlySet<number>,
  tokenizer: Tokenizer,
): Pick<TextGenerationOptions, "stop" | "stopTokens"> {
  const special = stop.flatMap((text) => {
    const ids = tokenizer.encode(text);
    return ids.length === 1 && tokenizer.decode(ids, { skipSpecial: true }) === "" ? ids : [];
  });
  return { stop, stopTokens: new Set([...ends, ...special]) };
}

function nameTwice(name: string): UserError {
  return new UserError("config", `two models would answer to the name ${name}`, {
    hint: "Give every adapter a name of its own: NAME=FOLDER.",
  });
}

function noSuchName(name: string, names: Iterable<string>): UserError {
  const legal = [...names];
  const near = nearest(name, legal);
  const hint = `There ${legal.length === 1 ? "is" : "are"} ${legal.join(", ")}.`;
  return new UserError("config", `there is no model '${name}'`, {
    hint: near === undefined ? hint : `Did you mean '${near}'? ${hint}`,
  });
}

export function tooLong(length: number, maxLength: number): UserError {
  return new UserError("config", `the prompt is ${length} tokens long, and there is room for ${maxLength - 1}`, {
    hint: "Shorten the prompt or the system message.",
  });
}
