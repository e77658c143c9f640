import { sameShape, showShape } from "./dims.ts";
import { MICROSOFT, type Emitter } from "./emitter.ts";
import { groupKeys, groupQueries, layoutOf, ungroupQueries, type AttentionAttributes } from "./ops-attention.ts";
import type { NdArray, OpRow } from "./op-row.ts";

/**
 * Causal grouped-query attention that goes on from cached positions: q [B, S, H·d], k and v [B, S, KV·d], cached keys
 * and values [B, KV, C, d], and starts, int64 [B]: how many of a row's C places are filled. Position i of row b is
 * starts[b] + i; it sees the filled places and the new positions up to itself. Outputs o [B, S, H·d], and the new keys
 * and values [B, KV, S, d] as they belong into the cache. Rows of unequal length are padded on the right.
 */
export const cachedAttention: OpRow<AttentionAttributes> = {
  infer([q, k, v, keys, values, starts], { heads, kvHeads }) {
    const [batch, length, width] = q!.shape;
    const headDim = (width as number) / heads;
    const places = keys!.shape[2]!;
    const expected = [
      [k!, [batch!, length!, kvHeads * headDim]],
      [v!, [batch!, length!, kvHeads * headDim]],
      [keys!, [batch!, kvHeads, places, headDim]],
      [values!, [batch!, kvHeads, places, headDim]],
      [starts!, [batch!]],
    ] as const;
    for (const [{ shape }, want] of expected) {
      if (!sameShape(shape, want)) {
        throw new Error(
          `cachedAttention: expected ${showShape(want)} beside ${showShape(q!.shape)}, got ${showShape(shape)}`,
        );
      }
    }
    const fresh = [batch!, kvHeads, length!, headDim];
    return [q!.shape, fresh, fresh].map((shape) => ({ dtype: "float32", shape }));
  },
  evaluate([q, k, v, keys, values, starts], { heads, kvHeads, window = Infinity }) {
    const [batch, length, width] = q!.shape as [number, number, number];
    const d = width / heads;
    const places = keys!.shape[2]!;
    const o = new Float64Array(q!.data.length);
    for (let b = 0; b < batch; b++) {
      const start = starts!.data[b]!;
      const vector = (cached: NdArray, fresh: NdArray, kv: number, position: number): Float64Array => {
        const at =
          position < start ? (b * kvHeads + kv) * places + position : (b * length + position - start) * kvHeads + kv;
        return (position < start ? cached : fresh).data.subarray(at * d, (at + 1) * d);
      };
      for (let i = 0; i < length; i++) {
        for (let h = 0; h < heads; h++) {
          const kv = Math.floor((h * kvHeads) / heads);
          const at = (b * length + i) * width + h * d;
          const query = q!.data.subarray(at, at + d);
          const first = Math.max(0, start + i - window + 1);
          const scores = Array.from({ length: start + i - first + 1 }, (_, j) => {
            const key = vector(keys!, k!, kv, first + j);
            return query.reduce((sum, x, c) => sum + x * key[c]!, 0) / Math.sqrt(d);
          });
          const max = Math.max(...scores);
          const exps = scores.map((s) => Math.exp(s - max));
          const total = exps.reduce((x, y) => x + y, 0);
          exps.forEach((e, j) => {
            vector(values!, v!, kv, first + j).forEach((x, c) => (o[at + c]! += (e / total) * x));
          });
        }
      }
    }
    const regrouped = ({ data }: NdArray): NdArray => ({
      shape: [batch, kvHeads, length, d],
      data: data.map((_, to) => {
        const [c, i, kv] = [to % d, Math.floor(to / d) % length, Math.floor(to / (d * length)) % kvHeads];
        return data[((Math.floor(to / (d * length * kvHeads)) * length + i) * kvHeads + kv) * d + c]!;
      }),
    });
    return [{ shape: q!.shape, data: o }, regrouped(k!), regrouped(v!)];
  },
  gradient: null,
  // Cached and new keys are multiplied apart and meet in the softmax: to join them would copy the cache at every token.
  lower(emit, [q, k, v, keys, values, starts], attributes, types) {
    const layout = layoutOf(attributes, types);
    const { group, headDim, length } = layout;
    const queries = groupQueries(emit, q!, layout);
    const fresh = [groupKeys(emit, k!, layout), groupKeys(emit, v!, layout)] as const;
    const score = (against: string): string =>
      emit.node(
        "FusedMatMul",
        [queries, against],
        { transB: 1, alpha: { float: 1 / Math.sqrt(headDim) } },
        { domain: MICROSOFT },
      );
    const places = emit.once(`places:${types[3]!.shape[2]}`, () => emit.dim(types[3]!.shape[2]!));
    const scores = emit.node("Concat", [score(keys!), score(fresh[0])], { axis: -1 });
    const hidden = mask(emit, starts!, { places, length: emit.dim(length), group, window: attributes.window });
    const probabilities = emit.node("Softmax", [emit.node("Add", [scores, hidden])], { axis: -1 });
    const sizes = emit.once(`sizes:${places}`, () => emit.node("Concat", [places, emit.dim(length)], { axis: 0 }));
    const [ofCached, ofFresh] = emit.nodes("Split", [probabilities, sizes], { axis: -1 }, { outputs: 2 });
    const o = emit.node("Add", [emit.node("MatMul", [ofCached!, values!]), emit.node("MatMul", [ofFresh!, fresh[1]])]);
    return [ungroupQueries(emit, o, layout), ...fresh];
  },
};

/** What is added to the scores [B, KV, S·G, C+S]: −1e9 where a query may not look. */
function mask(
  emit: Emitter,
  starts: string,
  { places, length, group, window }: { places: string; length: string; group: number; window: number | undefined },
): string {
  return emit.once(`cached-mask:${starts},${group},${window}`, () => {
    const range = (end: string): string => emit.node("Range", [emit.int(0), emit.node("Squeeze", [end]), emit.int(1)]);
    const rows = emit.node("Mul", [length, emit.ints([group])]);
    // [S·G, 1] and [B, 1, 1, 1]; columns are [C] and [S].
    const query = emit.node("Unsqueeze", [emit.node("Div", [range(rows), emit.int(group)]), emit.ints([1])]);
    const start = emit.node("Unsqueeze", [starts, emit.ints([1, 2, 3])]);
    const place = range(places);
    const fresh = range(length);
    let hiddenPlace = emit.node("GreaterOrEqual", [place, start]);
    let hiddenFresh = emit.node("Greater", [fresh, query]);
    if (window !== undefined) {
      const oldest = emit.node("Sub", [query, emit.int(window)]);
      const expired = emit.node("LessOrEqual", [place, emit.node("Add", [start, oldest])]);
      hiddenPlace = emit.node("Or", [hiddenPlace, expired]);
      hiddenFresh = emit.node("Or", [hiddenFresh, emit.node("LessOrEqual", [fresh, oldest])]);
    }
    const shape = (columns: string): string =>
      emit.node("Concat", [emit.node("Shape", [starts]), emit.ints([1]), rows, columns], { axis: 0 });
    const added = (hidden: string, columns: string): string =>
      emit.node("Expand", [emit.node("Where", [hidden, emit.float(-1e9), emit.float(0)]), shape(columns)]);
    return emit.node("Concat", [added(hiddenPlace, places), added(hiddenFresh, length)], { axis: -1 });
  });
}
