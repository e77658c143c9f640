import { Semaphore } from "../concurrency/semaphore.ts";
import type { TemplateName } from "../data/template.ts";
import type { Tokenizer } from "../data/tokenizer.ts";
import type { Adapter } from "../model/adapter.ts";
import type { BaseModel } from "../model/base-model.ts";
import { type LoraShape, shapeKey } from "../model/lora.ts";
import type { Runtime } from "../train/runtime.ts";
import { openTokenizer, stopTokensOf } from "./base-tokenizer.ts";
import { type Decoder, openDecoder } from "./decoder.ts";
import { TextGenerator } from "./text-generator.ts";

export interface InferenceOptions {
  readonly runtime: Runtime;
  readonly base: BaseModel;
  /** Default: the base's own, opened here. */
  readonly tokenizer?: Tokenizer | undefined;
  readonly template: TemplateName;
  readonly system?: string | undefined;
  /** Tokens of prompt and answer together; at most the model's positions. */
  readonly maxLength: number;
}

/** A base model that generates text with any number of adapters. */
export interface InferenceEngine {
  readonly tokenizer: Tokenizer;
  /** Longest sequence in tokens, prompt and answer together. */
  readonly maxLength: number;
  /**
   * Gives the model with an adapter, or the bare base. Adapters of one shape share a decoder, which holds a copy of the
   * weights and is opened when its shape is asked for first.
   */
  withAdapter(adapter?: Adapter): Promise<TextGenerator>;
  /** Closes every decoder. A call of `withAdapter` opens the one that it needs again. */
  dispose(): Promise<void>;
}

/** Opens an inference engine. @throws UserError of kind `model` for a tokenizer that does not fit the base. */
export function openInferenceEngine(options: InferenceOptions): InferenceEngine {
  const { runtime, base, tokenizer = openTokenizer(base), template, system } = options;
  const maxLength = Math.min(options.maxLength, base.modelConfig.maxPositions);
  const stopTokens = stopTokensOf(base, tokenizer);
  const decoders = new Map<string, Promise<Decoder>>();
  // Every decoder uses all threads, so one step runs at a time.
  const steps = new Semaphore(1);
  const decoderOf = (lora: LoraShape | undefined): Promise<Decoder> => {
    const key = shapeKey(lora);
    const known = decoders.get(key);
    if (known !== undefined) return known;
    const opened = openDecoder({ runtime, ...base, lora, maxLength });
    decoders.set(key, opened);
    return opened;
  };
  return {
    tokenizer,
    maxLength,
    async withAdapter(adapter) {
      const decoder = inTurn(await decoderOf(adapter?.shape), steps);
      const params = adapter?.params ?? new Map();
      return new TextGenerator({ decoder, adapter: params, tokenizer, stopTokens, template, system });
    },
    async dispose() {
      const open = [...decoders.values()];
      decoders.clear();
      // A decoder that failed to open has reported its error already.
      for (const decoder of open) await (await decoder.catch(() => undefined))?.dispose();
    },
  };
}

/** Makes the steps of a decoder wait for those of others. */
function inTurn(decoder: Decoder, steps: Semaphore): Decoder {
  const inOrder = async <T>(step: () => Promise<T>): Promise<T> => {
    const release = await steps.acquire();
    try {
      return await step();
    } finally {
      release();
    }
  };
  return {
    ...decoder,
    extend: (...step) => inOrder(() => decoder.extend(...step)),
    extendEach: (...step) => inOrder(() => decoder.extendEach(...step)),
  };
}
