import { product, type Dim } from "./dims.ts";
import { formatShape, sameShape } from "../tensor/shape.ts";
import { MICROSOFT, type Emitter } from "./emitter.ts";
import type { SplitHeadsAttributes } from "./op-attributes.ts";
import type { NdArray, OpRow } from "./op-row.ts";

/** Joins the rows of tensors with the same columns: [Nᵢ, …] → [ΣNᵢ, …]. For weights the engine does it once. */
export const joinRows: OpRow<Record<string, never>> = {
  infer(inputs) {
    const [first, ...others] = inputs.map(({ shape }) => shape);
    const columns = first!.slice(1);
    const rows = inputs.map(({ shape }) => shape[0]!);
    if (!others.every((shape) => sameShape(shape.slice(1), columns))) {
      throw new Error(`joinRows: columns differ, ${inputs.map(({ shape }) => formatShape(shape)).join(", ")}`);
    }
    const equal = rows.every((count) => count === rows[0]);
    if (!equal && rows.some((count) => typeof count === "string")) {
      throw new Error(`joinRows: ${rows.join(" and ")} rows cannot be added before the graph runs`);
    }
    const sum = equal ? product([rows.length, rows[0]!]) : rows.reduce<number>((a, b) => a + Number(b), 0);
    return [{ dtype: "float32", shape: [sum, ...columns] }];
  },
  evaluate(inputs) {
    const data = new Float64Array(inputs.reduce((sum, input) => sum + input.data.length, 0));
    let at = 0;
    for (const input of inputs) {
      data.set(input.data, at);
      at += input.data.length;
    }
    return [{ shape: [inputs.reduce((sum, { shape }) => sum + shape[0]!, 0), ...inputs[0]!.shape.slice(1)], data }];
  },
  gradient: null,
  lower: (emit, inputs) => [emit.node("Concat", inputs, { axis: 0 })],
};

/** Splits the columns of x [batch·length, ΣN·d], head by head → tensors [batch, Nᵢ, length, d]. */
export const splitHeads: OpRow<SplitHeadsAttributes> = {
  infer([x], { counts, batch, length }) {
    const [tokens, width] = x!.shape;
    const headDim = (width as number) / counts.reduce((a, b) => a + b);
    if (tokens !== product([batch, length]) || !Number.isInteger(headDim)) {
      throw new Error(
        `splitHeads: ${formatShape(x!.shape)} is not ${batch}·${length} rows of ${counts.join("+")} heads`,
      );
    }
    return counts.map((count) => ({ dtype: "float32", shape: [batch, count, length, headDim] }));
  },
  evaluate([x], attributes, resolve) {
    const [batch, length] = [resolve(attributes.batch), resolve(attributes.length)];
    const width = x!.shape[1]!;
    const d = width / attributes.counts.reduce((a, b) => a + b);
    let from = 0;
    return attributes.counts.map((count) => {
      const first = from;
      from += count;
      const data = Float64Array.from({ length: batch * count * length * d }, (_, at) => {
        const [c, i, head] = [at % d, Math.floor(at / d) % length, Math.floor(at / (d * length)) % count];
        const b = Math.floor(at / (d * length * count));
        return x!.data[(b * length + i) * width + (first + head) * d + c]!;
      });
      return { shape: [batch, count, length, d], data };
    });
  },
  gradient: null,
  lower(emit, [x], { counts, length }, types) {
    const total = counts.reduce((a, b) => a + b);
    const headDim = (types[0]!.shape[1] as number) / total;
    const shape = emit.once(`head-shape:${total},${headDim}`, () =>
      emit.node("Concat", [emit.ints([-1]), emit.dim(length), emit.ints([total, headDim])], { axis: 0 }),
    );
    const heads = emit.node("Transpose", [emit.node("Reshape", [x!, shape])], { perm: [0, 2, 1, 3] });
    if (counts.length === 1) return [heads];
    return emit.nodes("Split", [heads, emit.ints(counts)], { axis: 1 }, { outputs: counts.length });
  },
};

/**
 * Rotary position embedding (Su et al. 2021) of heads, Hugging Face's half-split pairing: x [batch, heads, length, d], cos
 * and sin [positions, r/2] of the first r ≤ d elements, and the first position of each sequence, int64 [batch].
 */
export const rotateHeads: OpRow<Record<string, never>> = {
  infer([x, cos, , starts]) {
    if (
      x!.shape.length !== 4 ||
      (x!.shape[3] as number) < 2 * (cos!.shape[1] as number) ||
      starts!.shape[0] !== x!.shape[0]
    ) {
      throw new Error(
        `rotateHeads: ${formatShape(x!.shape)} does not fit tables ${formatShape(cos!.shape)} and starts ${formatShape(starts!.shape)}`,
      );
    }
    return [{ dtype: "float32", shape: x!.shape }];
  },
  evaluate([x, cos, sin, starts]) {
    const [, heads, length, d] = x!.shape as [number, number, number, number];
    const half = cos!.shape[1]!;
    const data = x!.data.map((value, at) => {
      const [c, i] = [at % d, Math.floor(at / d) % length];
      if (c >= 2 * half) return value;
      const position = starts!.data[Math.floor(at / (d * length * heads))]! + i;
      const entry = position * half + (c % half);
      return c < half
        ? value * cos!.data[entry]! - x!.data[at + half]! * sin!.data[entry]!
        : value * cos!.data[entry]! + x!.data[at - half]! * sin!.data[entry]!;
    });
    return [{ shape: x!.shape, data } satisfies NdArray];
  },
  gradient: null,
  lower: (emit, [x, cos, sin, starts], _attributes, types) => [
    emit.node(
      "RotaryEmbedding",
      [x!, positionsFrom(emit, starts!, types[0]!.shape[2]!), cos!, sin!],
      // A part of each head needs both attributes.
      types[0]!.shape[3] === 2 * (types[1]!.shape[1] as number)
        ? {}
        : { num_heads: types[0]!.shape[1] as number, rotary_embedding_dim: 2 * (types[1]!.shape[1] as number) },
      {
        domain: MICROSOFT,
      },
    ),
  ],
};

/** Emits the positions [batch, length] of sequences with the first positions `starts`. */
export function positionsFrom(emit: Emitter, starts: string, length: Dim): string {
  return emit.once(`positions-from:${starts}`, () =>
    emit.node("Add", [emit.node("Unsqueeze", [starts, emit.ints([1])]), range(emit, emit.dim(length))]),
  );
}

/** Emits 0, 1, … below a count, which is a vector of one. */
export function range(emit: Emitter, count: string): string {
  return emit.once(`range:${count}`, () =>
    emit.node("Range", [emit.int(0), emit.node("Squeeze", [count]), emit.int(1)]),
  );
}
