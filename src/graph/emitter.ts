import type { Dim } from "./dims.ts";

export type OnnxAttribute = number | { readonly float: number } | string | readonly number[];

export interface EmitOptions {
  readonly outputs?: number;
  readonly domain?: string;
}

/** Writes ONNX nodes for lowering rules. Names are ONNX value names. */
export interface Emitter {
  /** Writes one node and returns its first output. */
  node(
    op: string,
    inputs: readonly string[],
    attributes?: Record<string, OnnxAttribute>,
    options?: EmitOptions,
  ): string;
  /** Writes one node with several outputs and returns them. */
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
  /** The size of a dimension while the graph runs, as an int64 vector of one. */
  dim(dim: Dim): string;
  /** Makes a value at most once in a graph (a mask that all layers share). */
  once(key: string, make: () => string): string;
}

export const MICROSOFT = "com.microsoft";
