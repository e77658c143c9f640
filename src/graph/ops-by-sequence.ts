import { product } from "./dims.ts";
import { type Emitter, MICROSOFT } from "./emitter.ts";
import { formatShape } from "../tensor/shape.ts";
import type { GemmBySequenceAttributes } from "./op-attributes.ts";
import type { NdArray, OpRow } from "./op-row.ts";
import type { ValueType } from "./value.ts";

/**
 * alpha·Aᵀ·B of each sequence by itself: A [batch·length, p] and B [batch·length, q] → [batch, p, q]. The third input is the
 * batch's ids [batch, length], for its shape. With a fourth, A and B are [rows, ·], and it holds the flattened position of
 * each row; a position occurs at most once. It makes the gradients of a linear layer's weight, sequence by sequence.
 */
export const gemmBySequence: OpRow<GemmBySequenceAttributes> = {
  infer([a, b, ids, rows]) {
    const height = rows === undefined ? product(ids!.shape) : rows.shape[0]!;
    for (const { shape } of [a!, b!]) {
      if (shape.length === 2 && shape[0] === height) continue;
      throw new Error(`gemmBySequence: ${formatShape(shape)} is no matrix of ${height} rows`);
    }
    return [{ dtype: "float32", shape: [ids!.shape[0]!, a!.shape[1]!, b!.shape[1]!] }];
  },
  evaluate([a, b, ids, rows], { alpha = 1 }) {
    const [batch, length] = ids!.shape as [number, number];
    const [x, y] = [placed(a!, ids!, rows), placed(b!, ids!, rows)];
    const [p, q] = [a!.shape[1]!, b!.shape[1]!];
    const data = new Float64Array(batch * p * q);
    for (let position = 0; position < batch * length; position++) {
      const at = Math.floor(position / length) * p * q;
      for (let i = 0; i < p; i++) {
        for (let j = 0; j < q; j++) data[at + i * q + j]! += alpha * x[position * p + i]! * y[position * q + j]!;
      }
    }
    return [{ shape: [batch, p, q], data }];
  },
  gradient: null,
  lower(emit, [a, b, , rows], { alpha = 1 }, [typeA, typeB, ids]) {
    const [x, y] = [sequences(emit, a!, typeA!, ids!, rows), sequences(emit, b!, typeB!, ids!, rows)];
    return [emit.node("FusedMatMul", [x, y], { transA: 1, alpha: { float: alpha } }, { domain: MICROSOFT })];
  },
};

/** The matrix with a row for each position of the batch: zeros where no row was chosen. */
function placed({ shape, data }: NdArray, ids: NdArray, rows: NdArray | undefined): Float64Array {
  if (rows === undefined) return data;
  const width = shape[1]!;
  const all = new Float64Array(ids.shape[0]! * ids.shape[1]! * width);
  rows.data.forEach((row, i) => {
    for (let j = 0; j < width; j++) all[row * width + j]! += data[i * width + j]!;
  });
  return all;
}

/** The same in ONNX, as [batch, length, width]. */
function sequences(
  emit: Emitter,
  x: string,
  { shape: [, width] }: ValueType,
  { shape: [batch, length] }: ValueType,
  rows: string | undefined,
): string {
  const columns = emit.dim(width!);
  const shape = emit.node("Concat", [emit.dim(batch!), emit.dim(length!), columns], { axis: 0 });
  if (rows === undefined) return emit.node("Reshape", [x, shape]);
  const flat = emit.node("Concat", [emit.dim(product([batch!, length!])), columns], { axis: 0 });
  const zeros = emit.node("ConstantOfShape", [flat]);
  const places = emit.node("Unsqueeze", [rows, emit.ints([1])]);
  return emit.node("Reshape", [emit.node("ScatterND", [zeros, places, x], { reduction: "add" }), shape]);
}
