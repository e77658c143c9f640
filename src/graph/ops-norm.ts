import { formatShape } from "../tensor/shape.ts";
import { MICROSOFT, type Emitter } from "./emitter.ts";
import type { RmsNormAttributes, RotaryAttributes } from "./op-attributes.ts";
import { plus, type NdArray, type OpRow } from "./op-row.ts";
import type { ValueType } from "./value.ts";

/**
 * RMSNorm (Zhang & Sennrich 2019) of each row: x [N, D], weight [D] → y = weight·x/σ [N, D], and for the gradient x/σ
 * [N, D] and 1/σ [N, 1], where σ² = mean(x²) + ε. The weight is frozen.
 */
export const rmsNorm: OpRow<RmsNormAttributes> = {
  infer([x, weight], { forwardOnly }) {
    if (x!.shape.length !== 2 || weight!.shape[0] !== x!.shape[1]) {
      throw new Error(`rmsNorm: weight ${formatShape(weight!.shape)} does not fit rows of ${formatShape(x!.shape)}`);
    }
    const shapes = forwardOnly ? [x!.shape] : [x!.shape, x!.shape, [x!.shape[0]!, 1]];
    return shapes.map((shape) => ({ dtype: "float32", shape }));
  },
  evaluate([x, weight], { epsilon }) {
    const [rows, width] = x!.shape as [number, number];
    const inverse = new Float64Array(rows);
    const normalized = new Float64Array(rows * width);
    for (let i = 0; i < rows; i++) {
      const row = x!.data.subarray(i * width, (i + 1) * width);
      inverse[i] = 1 / Math.sqrt(row.reduce((sum, v) => sum + v * v, 0) / width + epsilon);
      row.forEach((v, j) => (normalized[i * width + j] = v * inverse[i]!));
    }
    const y = normalized.map((v, at) => v * weight!.data[at % width]!);
    return [
      { shape: x!.shape, data: y },
      { shape: x!.shape, data: normalized },
      { shape: [rows, 1], data: inverse },
    ];
  },
  gradient({ builder, inputs, outputs, upstream, needs, contribute }, { forwardOnly }) {
    if (needs(1)) throw new Error("rmsNorm: the weight is frozen; no gradient is defined for it");
    if (forwardOnly) throw new Error("rmsNorm: forwardOnly keeps nothing for a gradient");
    if (needs(0)) {
      contribute(0, (sum) =>
        plus(builder, sum, builder.op("rmsNormGrad", [upstream, inputs[1]!, outputs[1]!, outputs[2]!], {})),
      );
    }
  },
  lower(emit, [x, weight], { epsilon, forwardOnly }) {
    if (forwardOnly)
      return [emit.node("SimplifiedLayerNormalization", [x!, weight!], { axis: -1, epsilon: { float: epsilon } })];
    // Training uses neither SimplifiedLayerNormalization nor Reciprocal: both are a few units off in the last place, always the same
    // way, and where a gradient is as small as AdamW's ε ten steps make 3e-4 of it.
    const variance = emit.node("ReduceMean", [emit.node("Mul", [x!, x!]), emit.ints([1])], { keepdims: 1 });
    const deviation = emit.node("Sqrt", [emit.node("Add", [variance, emit.float(epsilon)])]);
    const inverse = emit.node("Div", [emit.float(1), deviation]);
    const normalized = emit.node("Mul", [x!, inverse]);
    return [emit.node("Mul", [normalized, weight!]), normalized, inverse];
  },
};

/** dx = (g − x̂·mean(g·x̂))/σ with g = dy·weight and x̂ = x/σ. Inputs dy, weight, x̂, 1/σ. */
export const rmsNormGrad: OpRow<Record<string, never>> = {
  infer: ([dy]) => [{ dtype: "float32", shape: dy!.shape }],
  evaluate([dy, weight, normalized, inverse]) {
    const [rows, width] = dy!.shape as [number, number];
    const dx = new Float64Array(rows * width);
    for (let i = 0; i < rows; i++) {
      const g = Array.from({ length: width }, (_, j) => dy!.data[i * width + j]! * weight!.data[j]!);
      const mean = g.reduce((sum, v, j) => sum + v * normalized!.data[i * width + j]!, 0) / width;
      g.forEach((v, j) => (dx[i * width + j] = (v - normalized!.data[i * width + j]! * mean) * inverse!.data[i]!));
    }
    return [{ shape: dy!.shape, data: dx }];
  },
  gradient: null,
  lower(emit, [dy, weight, normalized, inverse]) {
    const g = emit.node("Mul", [dy!, weight!]);
    const mean = emit.node("ReduceMean", [emit.node("Mul", [g, normalized!]), emit.ints([1])], { keepdims: 1 });
    return [emit.node("Mul", [emit.node("Sub", [g, emit.node("Mul", [normalized!, mean])]), inverse!])];
  },
};

/**
 * Rotary position embedding (Su et al. 2021), Hugging Face's half-split pairing: x [batch, length, heads·d], cos and sin
 * [positions, r/2] of the first r ≤ d elements of each head. Positions count from 0. Its gradient is the rotation the other way.
 */
export const rotary: OpRow<RotaryAttributes> = {
  infer([x, cos], { heads }) {
    const least = 2 * (cos!.shape[1] as number) * heads;
    const width = x!.shape[2] as number;
    if (x!.shape.length !== 3 || width < least || width % heads !== 0) {
      throw new Error(`rotary: expected [batch, length, ${least} or more], got ${formatShape(x!.shape)}`);
    }
    return [{ dtype: "float32", shape: x!.shape }];
  },
  evaluate: ([x, cos, sin], { heads }) => [rotateReference(x!, cos!, sin!, heads, 1)],
  gradient({ builder, inputs, upstream, needs, contribute }, attributes) {
    if (needs(0)) {
      contribute(0, (sum) =>
        plus(builder, sum, builder.op("rotaryGrad", [upstream, inputs[1]!, inputs[2]!], attributes)),
      );
    }
  },
  lower: (emit, [x, cos, sin], { heads }, types) => [rotate(emit, [x!, cos!, sin!], heads, types)],
};

/** Rotates by minus the angle. Inputs dy, cos, sin. */
export const rotaryGrad: OpRow<RotaryAttributes> = {
  infer: ([dy]) => [{ dtype: "float32", shape: dy!.shape }],
  evaluate: ([dy, cos, sin], { heads }) => [rotateReference(dy!, cos!, sin!, heads, -1)],
  gradient: null,
  lower: (emit, [dy, cos, sin], { heads }, types) => {
    const negative = emit.once(`negative:${sin}`, () => emit.node("Neg", [sin!]));
    return [rotate(emit, [dy!, cos!, negative], heads, types)];
  },
};

function rotate(
  emit: Emitter,
  [x, cos, sin]: readonly [string, string, string],
  heads: number,
  types: readonly ValueType[],
): string {
  const rotated = 2 * (types[1]!.shape[1] as number);
  const part = types[0]!.shape[2] === rotated * heads ? {} : { rotary_embedding_dim: rotated };
  // A position tensor of one element is the first position; the rest follow.
  return emit.node(
    "RotaryEmbedding",
    [x, emit.ints([0]), cos, sin],
    { num_heads: heads, ...part },
    { domain: MICROSOFT },
  );
}

function rotateReference(x: NdArray, cos: NdArray, sin: NdArray, heads: number, direction: 1 | -1): NdArray {
  const [batch, length, width] = x.shape as [number, number, number];
  const half = cos.shape[1]!;
  const data = x.data.slice();
  for (let row = 0; row < batch * length; row++) {
    const position = row % length;
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < half; i++) {
        const at = row * width + (h * width) / heads + i;
        const c = cos.data[position * half + i]!;
        const s = direction * sin.data[position * half + i]!;
        data[at] = x.data[at]! * c - x.data[at + half]! * s;
        data[at + half] = x.data[at + half]! * c + x.data[at]! * s;
      }
    }
  }
  return { shape: x.shape, data };
}
