import { product, type Dim } from "./dims.ts";
import { formatShape, sameShape } from "../tensor/shape.ts";
import { capped, scaleOf, weigh } from "./attention-scores.ts";
import { MICROSOFT, type Emitter } from "./emitter.ts";
import type { ScoreAttributes } from "./op-attributes.ts";
import type { NdArray, OpRow } from "./op-row.ts";
import { positionsFrom, range } from "./ops-heads.ts";

/** Position of a place in the cache that is not filled: later than any other. */
const NEVER = 2 ** 40;

/**
 * Causal grouped-query attention that continues from cached positions: q [B, H, S, d], k and v [B, KV, S, d], cached keys
 * and values [B, KV, C, d], and starts, int64 [B], the number of filled places of a row's C. Position i of row b is
 * starts[b] + i; it sees the filled places and the new positions up to itself. Output [B·S, H·d]. Rows of unequal length
 * are padded on the right.
 */
export const cachedAttention: OpRow<ScoreAttributes> = {
  infer([q, k, v, keys, values, starts]) {
    const [batch, heads, length, headDim] = q!.shape;
    const [, kvHeads, places] = keys!.shape;
    const expected = [
      [k!, [batch!, kvHeads!, length!, headDim!]],
      [v!, [batch!, kvHeads!, length!, headDim!]],
      [keys!, [batch!, kvHeads!, places!, headDim!]],
      [values!, [batch!, kvHeads!, places!, headDim!]],
      [starts!, [batch!]],
    ] as const;
    for (const [{ shape }, want] of expected) {
      if (!sameShape(shape, want)) {
        throw new Error(
          `cachedAttention: expected ${formatShape(want)} beside ${formatShape(q!.shape)}, got ${formatShape(shape)}`,
        );
      }
    }
    return [{ dtype: "float32", shape: [product([batch!, length!]), product([heads!, headDim!])] }];
  },
  evaluate([q, k, v, keys, values, starts], attributes) {
    const { window = Infinity } = attributes;
    const [batch, heads, length, d] = q!.shape as [number, number, number, number];
    const [, kvHeads, places] = keys!.shape as [number, number, number];
    const o = new Float64Array(q!.data.length);
    for (let b = 0; b < batch; b++) {
      const start = starts!.data[b]!;
      const vector = (cached: NdArray, fresh: NdArray, kv: number, position: number): Float64Array => {
        const row = b * kvHeads + kv;
        const at = position < start ? row * places + position : row * length + position - start;
        return (position < start ? cached : fresh).data.subarray(at * d, (at + 1) * d);
      };
      for (let i = 0; i < length; i++) {
        for (let h = 0; h < heads; h++) {
          const kv = Math.floor((h * kvHeads) / heads);
          const from = ((b * heads + h) * length + i) * d;
          const query = q!.data.subarray(from, from + d);
          const first = Math.max(0, start + i - window + 1);
          const products = Array.from({ length: start + i - first + 1 }, (_, j) => {
            const key = vector(keys!, k!, kv, first + j);
            return query.reduce((sum, x, c) => sum + x * key[c]!, 0);
          });
          const to = ((b * length + i) * heads + h) * d;
          weigh(products, attributes, d).p.forEach((weight, j) => {
            vector(values!, v!, kv, first + j).forEach((x, c) => (o[to + c]! += weight * x));
          });
        }
      }
    }
    return [{ shape: [batch * length, heads * d], data: o }];
  },
  gradient: null,
  // Cached and new keys are multiplied apart and joined in the softmax: to join them before would copy the cache at every token.
  // The queries of a group of heads are the rows of one matrix, [B, KV, G·S, d], so keys and values are never repeated.
  lower(emit, [q, k, v, keys, values, starts], attributes, types) {
    const { window, cap = 1 } = attributes;
    const [, heads, length, headDim] = types[0]!.shape as [Dim, number, Dim, number];
    const [, kvHeads, places] = types[3]!.shape as [Dim, number, Dim];
    const queries = emit.node("Reshape", [q!, emit.ints([0, kvHeads, -1, headDim])]);
    const score = (against: string): string =>
      emit.node(
        "FusedMatMul",
        [queries, against],
        { transB: 1, alpha: { float: scaleOf(attributes, headDim) / cap } },
        { domain: MICROSOFT },
      );
    const scores = capped(emit, emit.node("Concat", [score(keys!), score(k!)], { axis: -1 }), attributes);
    const hidden = mask(emit, starts!, { places, length, group: heads / kvHeads, window });
    const probabilities = emit.node("Softmax", [emit.node("Add", [scores, hidden])], { axis: -1 });
    const sizes = emit.once(`sizes:${places},${length}`, () =>
      emit.node("Concat", [emit.dim(places), emit.dim(length)], { axis: 0 }),
    );
    const [ofCached, ofFresh] = emit.nodes("Split", [probabilities, sizes], { axis: -1 }, { outputs: 2 });
    const mixed = emit.node("Add", [emit.node("MatMul", [ofCached!, values!]), emit.node("MatMul", [ofFresh!, v!])]);
    const perHead = emit.node("Reshape", [mixed, emit.ints([0, heads, -1, headDim])]);
    const perToken = emit.node("Transpose", [perHead], { perm: [0, 2, 1, 3] });
    return [emit.node("Reshape", [perToken, emit.ints([-1, heads * headDim])])];
  },
};

/** The addend of the scores [B, KV, G·S, C+S]: −1e9 where a query must not attend. */
function mask(
  emit: Emitter,
  starts: string,
  { places, length, group, window }: { places: Dim; length: Dim; group: number; window: number | undefined },
): string {
  return emit.once(`cached-mask:${starts},${group},${window}`, () => {
    const positions = positionsFrom(emit, starts, length);
    // [B, 1, 1, C+S] and [B, 1, S, 1].
    const ofKeys = emit.once(`key-positions:${starts}`, () => {
      const place = range(emit, emit.dim(places));
      const filled = emit.node("Less", [place, emit.node("Unsqueeze", [starts, emit.ints([1])])]);
      const cached = emit.node("Where", [filled, place, emit.int(NEVER)]);
      return emit.node("Unsqueeze", [emit.node("Concat", [cached, positions], { axis: -1 }), emit.ints([1, 2])]);
    });
    const ofQueries = emit.once(`query-positions:${starts}`, () =>
      emit.node("Unsqueeze", [positions, emit.ints([1, 3])]),
    );
    let hidden = emit.node("Greater", [ofKeys, ofQueries]);
    if (window !== undefined) {
      const expired = emit.node("LessOrEqual", [ofKeys, emit.node("Sub", [ofQueries, emit.int(window)])]);
      hidden = emit.node("Or", [hidden, expired]);
    }
    const added = emit.node("Where", [hidden, emit.float(-1e9), emit.float(0)]);
    return group === 1 ? added : emit.node("Concat", Array<string>(group).fill(added), { axis: 2 });
  });
}
