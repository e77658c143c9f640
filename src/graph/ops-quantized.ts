import { formatShape } from "../tensor/shape.ts";
import { MICROSOFT, type Emitter } from "./emitter.ts";
import { ONNX_TYPES } from "./onnx-schema.ts";
import type { QuantizedLinearAttributes } from "./op-attributes.ts";
import { plus, type NdArray, type OpRow } from "./op-row.ts";
import type { ValueType } from "./value.ts";

/** Infers [out, in] of a quantised weight. Throws an Error where its codes and scales do not fit each other. */
function weightShape(
  codes: ValueType,
  scales: ValueType,
  { bits, blockSize }: QuantizedLinearAttributes,
): [number, number] {
  const [out, blocks, bytes] = codes.shape as number[];
  const fits =
    codes.dtype === "uint8" &&
    bytes === (blockSize * bits) / 8 &&
    scales.shape.length === 2 &&
    scales.shape[0] === out &&
    scales.shape[1] === blocks;
  if (!fits) {
    throw new Error(
      `quantizedLinear: ${codes.dtype} codes ${formatShape(codes.shape)} of ${bits} bits and scales ` +
        `${formatShape(scales.shape)} are no blocks of ${blockSize}`,
    );
  }
  return [out!, blocks! * blockSize];
}

/** Computes W [out, in], row by row. Of two codes in a byte the lower four bits come first. */
function dequantized(codes: NdArray, scales: NdArray, { bits, blockSize }: QuantizedLinearAttributes): Float64Array {
  const perByte = 8 / bits;
  const zero = 2 ** (bits - 1);
  return Float64Array.from({ length: codes.data.length * perByte }, (_, i) => {
    const byte = codes.data[Math.floor(i / perByte)]!;
    const code = Math.floor(byte / 2 ** (bits * (i % perByte))) % 2 ** bits;
    return (code - zero) * scales.data[Math.floor(i / blockSize)]!;
  });
}

/**
 * x·Wᵀ with a frozen, quantised W: x [N, in], codes uint8 [out, in/blockSize, blockSize·bits/8] and scales
 * [out, in/blockSize] → [N, out]. A weight is (code − 2^(bits−1))·scale of its block.
 */
export const quantizedLinear: OpRow<QuantizedLinearAttributes> = {
  infer([x, codes, scales], attributes) {
    const [out, width] = weightShape(codes!, scales!, attributes);
    if (x!.shape.length !== 2 || x!.shape[1] !== width) {
      throw new Error(`quantizedLinear: rows of ${formatShape(x!.shape)} do not fit a weight [${out}, ${width}]`);
    }
    return [{ dtype: "float32", shape: [x!.shape[0]!, out] }];
  },
  evaluate([x, codes, scales], attributes) {
    const weight = dequantized(codes!, scales!, attributes);
    const [rows, width] = x!.shape as [number, number];
    const out = codes!.shape[0]!;
    const data = new Float64Array(rows * out);
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < out; j++) {
        for (let l = 0; l < width; l++) data[i * out + j]! += x!.data[i * width + l]! * weight[j * width + l]!;
      }
    }
    return [{ shape: [rows, out], data }];
  },
  gradient({ builder, inputs, upstream, needs, contribute }, attributes) {
    if (needs(1) || needs(2)) throw new Error("quantizedLinear: the weight is frozen; no gradient is defined for it");
    if (needs(0)) {
      contribute(0, (sum) =>
        plus(builder, sum, builder.op("quantizedLinearGrad", [upstream, inputs[1]!, inputs[2]!], attributes)),
      );
    }
  },
  lower(emit, inputs, attributes, [, codes, scales]) {
    const { bits, blockSize } = attributes;
    const [out, width] = weightShape(codes!, scales!, attributes);
    // Accuracy level 1: float32 products. The engine's choice may round the rows of x to int8.
    const settings = { K: width, N: out, bits, block_size: blockSize, accuracy_level: 1 };
    return [emit.node("MatMulNBits", inputs, settings, { domain: MICROSOFT })];
  },
};

/**
 * d loss / d x = dy·W. Inputs dy, codes, scales. The engine's product takes W transposed only, so W is made anew. That costs
 * a few passes over W, which is little beside the product from some hundred rows on.
 */
export const quantizedLinearGrad: OpRow<QuantizedLinearAttributes> = {
  infer([dy, codes, scales], attributes) {
    return [{ dtype: "float32", shape: [dy!.shape[0]!, weightShape(codes!, scales!, attributes)[1]] }];
  },
  evaluate([dy, codes, scales], attributes) {
    const weight = dequantized(codes!, scales!, attributes);
    const [rows, out] = dy!.shape as [number, number];
    const width = weight.length / out;
    const data = new Float64Array(rows * width);
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < out; j++) {
        for (let l = 0; l < width; l++) data[i * width + l]! += dy!.data[i * out + j]! * weight[j * width + l]!;
      }
    }
    return [{ shape: [rows, width], data }];
  },
  gradient: null,
  lower(emit, [dy, codes, scales], { bits, blockSize }, types) {
    const [out, blocks] = types[1]!.shape as [number, number, number];
    const bytes = emit.node("Cast", [codes!], { to: ONNX_TYPES.float32 });
    const dims = [out, blocks, blockSize];
    const numbers = bits === 8 ? bytes : emit.node("Reshape", [halves(emit, bytes), emit.ints(dims)]);
    const centred = emit.node("Sub", [numbers, emit.float(2 ** (bits - 1))]);
    const weight = emit.node("Mul", [centred, emit.node("Unsqueeze", [scales!, emit.ints([2])])]);
    const matrix = emit.node("Reshape", [weight, emit.ints([out, blocks * blockSize])]);
    return [emit.node("MatMul", [dy!, matrix])];
  },
};

/** The lower and the upper four bits of each byte, side by side, as floats. */
function halves(emit: Emitter, bytes: string): string {
  const upper = emit.node("Floor", [emit.node("Mul", [bytes, emit.float(1 / 16)])]);
  const lower = emit.node("Sub", [bytes, emit.node("Mul", [upper, emit.float(16)])]);
  const last = emit.ints([3]);
  const parts = [lower, upper].map((part) => emit.node("Unsqueeze", [part, last]));
  return emit.node("Concat", parts, { axis: 3 });
}
