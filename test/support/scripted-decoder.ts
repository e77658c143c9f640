import type { Decoder } from "../../src/decode/decoder.ts";
import { KeyValueCache } from "../../src/decode/key-value-cache.ts";

export interface ScriptedDecoder extends Decoder {
  /** How many rows each call extended, in order. */
  readonly calls: number[];
}

/**
 * A model of a vocabulary of 1,000 whose next token is `next` of all tokens before it. It keeps a row's tokens where a
 * model keeps keys, so a row that is mixed up with another one gives itself away.
 */
export function scriptedDecoder(next: (tokens: readonly number[]) => number, maxLength = 1000): ScriptedDecoder {
  const calls: number[] = [];
  return {
    maxLength,
    calls,
    openCache: (rows, capacity) => new KeyValueCache({ tensors: 1, rows, heads: 1, headDim: 1, capacity }),
    async extend(_adapter, cache, first, tokens) {
      calls.push(tokens.length);
      const length = Math.max(...tokens.map((list) => list.length));
      const fresh = new Float32Array(tokens.length * length);
      tokens.forEach((list, row) => fresh.set(list, row * length));
      cache.append(
        first,
        fresh,
        tokens.map((list) => list.length),
      );
      const [{ shape, data }] = cache.view(first, tokens.length) as [{ shape: number[]; data: Float32Array }];
      return tokens.map((_, row) => {
        const start = row * shape[2]!;
        const seen = [...data.subarray(start, start + cache.lengths[first + row]!)];
        const logits = new Float32Array(1000);
        logits[next(seen)] = 10;
        return logits;
      });
    },
    extendEach: () => Promise.reject(new Error("the script has no logits for each token")),
    async dispose() {},
  };
}
