import type { Dim } from "./dims.ts";

export type DType = "float32" | "int64";

export interface ValueType {
  readonly dtype: DType;
  readonly shape: readonly Dim[];
}

/** One tensor of a graph. Identity is the object; `name` is unique in its graph. */
export interface Value extends ValueType {
  readonly name: string;
}
