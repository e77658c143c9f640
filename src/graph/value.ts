import type { Dim } from "./dims.ts";

/** Bytes of one element, by type. Quantised weights are uint8; several may share a byte. */
export const ELEMENT_BYTES = { float32: 4, int64: 8, uint8: 1 } as const;

export type DType = keyof typeof ELEMENT_BYTES;

/** The elements of a tensor in memory: float32, int64 and uint8, in this order. */
export type TensorData = Float32Array | BigInt64Array | Uint8Array;

export function dtypeOf(data: TensorData): DType {
  if (data instanceof Float32Array) return "float32";
  return data instanceof BigInt64Array ? "int64" : "uint8";
}

export interface ValueType {
  readonly dtype: DType;
  readonly shape: readonly Dim[];
}

/** One tensor of a graph. The object is its identity; `name` is unique in its graph. */
export interface Value extends ValueType {
  readonly name: string;
}
