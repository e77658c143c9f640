import { float32ToFloat16 } from "../../tensor/float16.ts";
import { encodeWeights } from "../encode-weights.ts";
import { type GgmlType, Q8_BLOCK } from "./gguf-file.ts";

/** Encodes weights in one of GGUF's number formats. For q8_0 the number of columns must be a multiple of 32. */
export function encodeGgml(values: Float32Array, type: GgmlType, name: string): Uint8Array {
  return type === "q8_0" ? encodeQ8(values) : encodeWeights(values, type, name);
}

/**
 * q8_0, as llama.cpp's `quantize_row_q8_0_ref` computes it in float32: for every 32 values a float16 scale d = max|x|/127 and
 * int8 numbers x/d, rounded half away from zero.
 */
function encodeQ8(values: Float32Array): Uint8Array {
  const blocks = values.length / Q8_BLOCK;
  const scales = new Float32Array(blocks);
  const out = new Uint8Array(blocks * (2 + Q8_BLOCK));
  const view = new DataView(out.buffer);
  for (let block = 0; block < blocks; block++) {
    const first = block * Q8_BLOCK;
    let largest = 0;
    for (let i = first; i < first + Q8_BLOCK; i++) largest = Math.max(largest, Math.abs(values[i]!));
    const scale = Math.fround(largest / 127);
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
    scales[block] = scale;
    for (let i = 0; i < Q8_BLOCK; i++) {
      const x = Math.fround(values[first + i]! * inverse);
      view.setInt8(block * (2 + Q8_BLOCK) + 2 + i, Math.sign(x) * Math.floor(Math.abs(x) + 0.5));
    }
  }
  float32ToFloat16(scales).forEach((scale, block) => view.setUint16(block * (2 + Q8_BLOCK), scale, true));
  return out;
}
