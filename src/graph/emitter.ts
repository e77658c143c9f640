import type { Dim } from "./dims.ts";

export type OnnxAttribute = number | { readonly float: number } | string | readonly number[];

export interface EmitOptions {
  readonly outputs?: number;
  readonly domain?: string;
}

/** What lowering rules write ONNX nodes through. Names are ONNX value names. */
export interface Emitter {
  /** One node; returns its first output. */
  node(
    op: string,
    inputs: readonly string[],
    attributes?: Record<string, OnnxAttribute>,
    options?: EmitOptions,
  ): string;
  /** One node with several outputs. */
  nodes(
    op: string,
    inputs: readonly string[],
    attributes: Record<string, OnnxAttribute>,
    options: EmitOptions & { readonly outputs: number },
  ): readonly string[];
  /** An int64 vector constant. */
  ints(values: readonly number[]): string;
  /** An int64 or float32 scalar constant. */
  int(value: number): string;
  float(value: number): string;
  /** The running length of a dimension, as an int64 vector of one. */
  dim(dim: Dim): string;
  /** Makes something at most once a graph (a mask all layers share). */
  once(key: string, make: () => string): string;
}

export const MICROSOFT = "com.microsoft";
