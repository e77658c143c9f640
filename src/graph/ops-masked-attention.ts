import { formatShape, sameShape } from "../tensor/shape.ts";
import { capped, scaleOf, scoreWith } from "./attention-scores.ts";
import { type Dim, product } from "./dims.ts";
import type { Emitter } from "./emitter.ts";
import { ONNX_TYPES } from "./onnx-schema.ts";
import type { JoinPlacesAttributes, RotateAtAttributes, ScoreAttributes } from "./op-attributes.ts";
import type { NdArray, OpRow } from "./op-row.ts";
import { range } from "./ops-heads.ts";

// The operations of a model that other programs run: operations of the ONNX standard alone, positions and a mask as inputs.

/** Joins earlier and new keys or values: [B, KV, P, d] and [B, KV, S, d] → [B, KV, P+S, d]. */
export const joinPlaces: OpRow<JoinPlacesAttributes> = {
  infer([past, fresh], { places }) {
    const [batch, heads, , headDim] = past!.shape;
    if (!sameShape([batch!, heads!, fresh!.shape[2]!, headDim!], fresh!.shape)) {
      throw new Error(`joinPlaces: ${formatShape(past!.shape)} and ${formatShape(fresh!.shape)} do not fit`);
    }
    return [{ dtype: "float32", shape: [batch!, heads!, places, headDim!] }];
  },
  evaluate([past, fresh]) {
    const [batch, heads, before, d] = past!.shape as [number, number, number, number];
    const length = fresh!.shape[2]!;
    const data = new Float64Array(batch * heads * (before + length) * d);
    for (let row = 0; row < batch * heads; row++) {
      const at = row * (before + length) * d;
      data.set(past!.data.subarray(row * before * d, (row + 1) * before * d), at);
      data.set(fresh!.data.subarray(row * length * d, (row + 1) * length * d), at + before * d);
    }
    return [{ shape: [batch, heads, before + length, d], data }];
  },
  gradient: null,
  lower: (emit, inputs) => [emit.node("Concat", inputs, { axis: 2 })],
};

/**
 * Rotary position embedding (Su et al. 2021) of heads, Hugging Face's half-split pairing: x [batch, heads, length, d], the
 * position of each token, int64 [batch, length], and inverse frequencies [r/2] of the first r ≤ d elements. `factor`
 * multiplies what is rotated.
 */
export const rotateAt: OpRow<RotateAtAttributes> = {
  infer([x, positions, frequencies]) {
    const [batch, , length, headDim] = x!.shape;
    const rotated = 2 * (frequencies!.shape[0] as number);
    if (!sameShape(positions!.shape, [batch!, length!]) || rotated > (headDim as number)) {
      const [at, by] = [formatShape(positions!.shape), formatShape(frequencies!.shape)];
      throw new Error(`rotateAt: ${formatShape(x!.shape)} does not fit positions ${at} and frequencies ${by}`);
    }
    return [{ dtype: "float32", shape: x!.shape }];
  },
  evaluate([x, positions, frequencies], { factor = 1 }) {
    const [, heads, length, d] = x!.shape as [number, number, number, number];
    const half = frequencies!.shape[0]!;
    const data = x!.data.map((value, at) => {
      const [c, i] = [at % d, Math.floor(at / d) % length];
      if (c >= 2 * half) return value;
      const b = Math.floor(at / (d * length * heads));
      const angle = positions!.data[b * length + i]! * frequencies!.data[c % half]!;
      const other = c < half ? -x!.data[at + half]! : x!.data[at - half]!;
      return factor * (value * Math.cos(angle) + other * Math.sin(angle));
    });
    return [{ shape: x!.shape, data } satisfies NdArray];
  },
  gradient: null,
  lower(emit, [x, positions, frequencies], { factor }, types) {
    const half = types[2]!.shape[0] as number;
    const kept = (types[0]!.shape[3] as number) - 2 * half;
    // [B, 1, S, r/2], for all heads alike.
    const angles = emit.once(`angles:${positions},${frequencies}`, () => {
      const at = emit.node("Cast", [emit.node("Unsqueeze", [positions!, emit.ints([1, 3])])], {
        to: ONNX_TYPES.float32,
      });
      return emit.node("Mul", [at, frequencies!]);
    });
    const table = (op: "Cos" | "Sin"): string =>
      emit.once(`${op}:${angles},${factor}`, () => {
        const plain = emit.node(op, [angles]);
        return factor === undefined ? plain : emit.node("Mul", [plain, emit.float(factor)]);
      });
    const cos = table("Cos");
    const sin = table("Sin");
    const parts = kept === 0 ? [half, half] : [half, half, kept];
    const [a, b, ...rest] = emit.nodes("Split", [x!, emit.ints(parts)], { axis: -1 }, { outputs: parts.length });
    const turned = (op: "Sub" | "Add", first: string, second: string): string =>
      emit.node(op, [emit.node("Mul", [first, cos]), emit.node("Mul", [second, sin])]);
    return [emit.node("Concat", [turned("Sub", a!, b!), turned("Add", b!, a!), ...rest], { axis: -1 })];
  },
};

/**
 * Causal grouped-query attention to masked places: q [B, H, S, d], keys and values [B, KV, T, d], of which the last S are
 * those of the queries, and a mask, int64 [B, T], 1 where a place may be seen. Query i of a row sees the places up to
 * T−S+i. Output [B·S, H·d]. Rows of unequal length may be padded on either side.
 */
export const maskedAttention: OpRow<ScoreAttributes> = {
  infer([q, keys, values, mask]) {
    const [batch, heads, length, headDim] = q!.shape as [Dim, number, Dim, number];
    const [, kvHeads, places] = keys!.shape as [Dim, number, Dim];
    const expected = [batch, kvHeads, places, headDim];
    if (
      !sameShape(keys!.shape, expected) ||
      !sameShape(values!.shape, expected) ||
      !sameShape(mask!.shape, [batch, places])
    ) {
      const got = [keys, values, mask].map((value) => formatShape(value!.shape)).join(", ");
      throw new Error(`maskedAttention: ${formatShape(q!.shape)} does not fit ${got}`);
    }
    return [{ dtype: "float32", shape: [product([batch, length]), heads * headDim] }];
  },
  evaluate([q, keys, values, mask], attributes) {
    const { window = Infinity } = attributes;
    const [batch, heads, length, d] = q!.shape as [number, number, number, number];
    const [, kvHeads, places] = keys!.shape as [number, number, number];
    const o = new Float64Array(q!.data.length);
    const scored = scoreWith(attributes, d);
    for (let b = 0; b < batch; b++) {
      for (let h = 0; h < heads; h++) {
        const kv = b * kvHeads + Math.floor((h * kvHeads) / heads);
        const vector = ({ data }: NdArray, place: number): Float64Array =>
          data.subarray((kv * places + place) * d, (kv * places + place + 1) * d);
        for (let i = 0; i < length; i++) {
          const at = places - length + i;
          const from = ((b * heads + h) * length + i) * d;
          const query = q!.data.subarray(from, from + d);
          const scores = Array.from({ length: places }, (_, place) =>
            mask!.data[b * places + place] === 1 && place <= at && place > at - window
              ? scored(vector(keys!, place).reduce((sum, x, c) => sum + x * query[c]!, 0))
              : HIDDEN,
          );
          const largest = Math.max(...scores);
          const exps = scores.map((score) => Math.exp(score - largest));
          const total = exps.reduce((x, y) => x + y, 0);
          const to = ((b * length + i) * heads + h) * d;
          exps.forEach((e, place) => {
            vector(values!, place).forEach((x, c) => (o[to + c]! += (e / total) * x));
          });
        }
      }
    }
    return [{ shape: [batch * length, heads * d], data: o }];
  },
  gradient: null,
  // A group of heads that share keys is an axis of its own, over which keys and values are repeated without a copy.
  lower(emit, [q, keys, values, mask], attributes, types) {
    const { window, cap = 1 } = attributes;
    const [, heads, length, headDim] = types[0]!.shape as [Dim, number, Dim, number];
    const [, kvHeads, places] = types[1]!.shape as [Dim, number, Dim];
    const grouped = emit.node("Reshape", [q!, emit.ints([0, kvHeads, heads / kvHeads, -1, headDim])]);
    const scaled = emit.node("Mul", [grouped, emit.float(scaleOf(attributes, headDim) / cap)]);
    const across = emit.node("Transpose", [keys!], { perm: [0, 1, 3, 2] });
    const shared = (value: string): string => emit.node("Unsqueeze", [value, emit.ints([2])]);
    const scores = capped(emit, emit.node("MatMul", [scaled, shared(across)]), attributes);
    const hidden = addend(emit, mask!, { places, length, window });
    const probabilities = emit.node("Softmax", [emit.node("Add", [scores, hidden])], { axis: -1 });
    const mixed = emit.node("MatMul", [probabilities, shared(values!)]);
    const perHead = emit.node("Reshape", [mixed, emit.ints([0, heads, -1, headDim])]);
    const perToken = emit.node("Transpose", [perHead], { perm: [0, 2, 1, 3] });
    return [emit.node("Reshape", [perToken, emit.ints([-1, heads * headDim])])];
  },
};

/** The addend of scores that a query must not see. A query that sees nothing, which is padding, then stays finite. */
const HIDDEN = -1e9;

/** The addend of the scores, [B, 1, 1, S, T]: 0 or `HIDDEN`. */
function addend(
  emit: Emitter,
  mask: string,
  { places, length, window }: { places: Dim; length: Dim; window: number | undefined },
): string {
  return emit.once(`masked:${mask},${window}`, () => {
    const ofKeys = range(emit, emit.dim(places));
    const first = emit.node("Sub", [emit.dim(places), emit.dim(length)]);
    // [S, 1]
    const ofQueries = emit.node("Unsqueeze", [
      emit.node("Add", [range(emit, emit.dim(length)), first]),
      emit.ints([1]),
    ]);
    let seen = emit.node("LessOrEqual", [ofKeys, ofQueries]);
    if (window !== undefined) {
      const after = emit.node("Sub", [ofQueries, emit.int(window)]);
      seen = emit.node("And", [seen, emit.node("Greater", [ofKeys, after])]);
    }
    const allowed = emit.node("Cast", [emit.node("Unsqueeze", [mask, emit.ints([1, 2, 3])])], { to: ONNX_TYPES.bool });
    return emit.node("Where", [emit.node("And", [seen, allowed]), emit.float(0), emit.float(HIDDEN)]);
  });
}
