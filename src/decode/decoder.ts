import type { ModelConfig } from "../model/config.ts";
import { joinAdapter } from "../model/joined-adapter.ts";
import { cacheNames, FEEDS, FETCHES } from "../model/feeds.ts";
import { decodingGraph } from "../model/language-model.ts";
import type { LoraShape } from "../model/lora.ts";
import type { Weights } from "../model/weights.ts";
import type { Params } from "../tensor/params.ts";
import { KeyValueCache } from "./key-value-cache.ts";
import { type Runtime, type RuntimeTensor, vector } from "../train/runtime.ts";

export interface DecoderOptions {
  readonly runtime: Runtime;
  readonly modelConfig: ModelConfig;
  readonly weights: Weights;
  /** Shape of the adapters; undefined: the bare base. */
  readonly lora: LoraShape | undefined;
  /** Longest sequence, prompt and answer together. */
  readonly maxLength: number;
}

/** A model that continues sequences token by token, with any adapter of one shape. Calls must not overlap. */
export interface Decoder {
  readonly maxLength: number;
  /** Opens a cache for `rows` sequences of up to `capacity` tokens. */
  openCache(rows: number, capacity: number): KeyValueCache;
  /**
   * Appends tokens to the cache's rows from `first` on, a list of at least one for each row, and returns the logits
   * [vocabulary] after each list's last.
   */
  extend(
    adapter: Params,
    cache: KeyValueCache,
    first: number,
    tokens: readonly ArrayLike<number>[],
  ): Promise<Float32Array[]>;
  /** Appends tokens to one row of the cache, and returns the logits [vocabulary] after each of them. */
  extendEach(adapter: Params, cache: KeyValueCache, row: number, tokens: ArrayLike<number>): Promise<Float32Array[]>;
  dispose(): Promise<void>;
}

export async function openDecoder({
  runtime,
  modelConfig,
  weights,
  lora,
  maxLength,
}: DecoderOptions): Promise<Decoder> {
  const { layers, kvHeads, headDim, vocabSize } = modelConfig;
  const session = await runtime.load(decodingGraph(modelConfig, lora, { maxLength }), weights);
  const names = Array.from({ length: layers }, (_, layer) => cacheNames(layer)).flat();
  /** Converted adapters: one is used for many tokens. */
  const fed = new WeakMap<Params, Params>();
  const joinedOf = (adapter: Params): Params => {
    if (lora === undefined) return adapter;
    let joined = fed.get(adapter);
    if (joined === undefined) fed.set(adapter, (joined = joinAdapter(modelConfig, lora, adapter)));
    return joined;
  };
  /** Appends a list of tokens to each row from `first` on; `wanted`: which of the tokens [rows * length] get logits. */
  const run = async (
    adapter: Params,
    cache: KeyValueCache,
    first: number,
    tokens: readonly ArrayLike<number>[],
    wanted: (length: number) => readonly number[],
  ): Promise<Float32Array[]> => {
    const rows = tokens.length;
    const length = tokens.reduce((longest, list) => Math.max(longest, list.length), 0);
    const ids = new BigInt64Array(rows * length);
    tokens.forEach((list, row) => {
      for (let i = 0; i < list.length; i++) ids[row * length + i] = BigInt(list[i]!);
    });
    const starts = cache.lengths.slice(first, first + rows);
    const places = wanted(length);
    const feeds = new Map<string, RuntimeTensor>(joinedOf(adapter) as ReadonlyMap<string, RuntimeTensor>)
      .set(FEEDS.ids, { shape: [rows, length], data: ids })
      .set(FEEDS.starts, vector(BigInt64Array.from(starts, BigInt)))
      .set(FEEDS.rows, vector(BigInt64Array.from(places, BigInt)));
    const cached = cache.view(first, rows);
    names.forEach((name, i) => feeds.set(name, cached[i]!));
    const results = await session.run(feeds, [FETCHES.logits, FETCHES.fresh]);
    cache.append(
      first,
      results.get(FETCHES.fresh)!.data as Float32Array,
      tokens.map((list) => list.length),
    );
    const logits = results.get(FETCHES.logits)!.data as Float32Array;
    return places.map((_, i) => logits.subarray(i * vocabSize, (i + 1) * vocabSize));
  };
  return {
    maxLength,
    openCache: (rows, capacity) =>
      new KeyValueCache({ tensors: names.length, rows, heads: kvHeads, headDim, capacity }),
    extend: (adapter, cache, first, tokens) =>
      run(adapter, cache, first, tokens, (length) => tokens.map((list, row) => row * length + list.length - 1)),
    extendEach: (adapter, cache, row, tokens) =>
      run(adapter, cache, row, [tokens], (length) => [...Array(length).keys()]),
    dispose: () => session.dispose(),
  };
}
