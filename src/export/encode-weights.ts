import { UserError } from "../diagnostics/user-error.ts";
import { float32ToBfloat16, float32ToFloat16 } from "../tensor/float16.ts";

/** The largest float16 is 65504; from here on a number rounds to infinity. */
const FLOAT16_LIMIT = 65_520;

/** Encodes float32 values little-endian. @throws UserError of kind `model` where a value is too large for float16. */
export function encodeWeights(values: Float32Array, dtype: "f32" | "f16" | "bf16", name: string): Uint8Array {
  if (dtype === "f32") return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  if (dtype === "f16") {
    const large = values.find((value) => Math.abs(value) >= FLOAT16_LIMIT);
    if (large !== undefined) {
      throw new UserError("model", `tensor ${name} has the value ${large}, and float16 ends at 65504`, {
        hint: "Export with --dtype bf16 or --dtype f32.",
      });
    }
  }
  const halves = dtype === "f16" ? float32ToFloat16(values) : float32ToBfloat16(values);
  return new Uint8Array(halves.buffer);
}
