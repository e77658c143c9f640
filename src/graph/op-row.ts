import type { Dim } from "./dims.ts";
import type { Emitter } from "./emitter.ts";
import type { OpAttributes, OpName } from "./op-attributes.ts";
import type { Value, ValueType } from "./value.ts";

/** A tensor of the reference interpreter: every dtype is held as float64. */
export interface NdArray {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** What rules add nodes through. */
export interface NodeBuilder {
  /** Adds one operation and returns all its outputs. */
  apply<K extends OpName>(op: K, inputs: readonly Value[], attributes: OpAttributes[K]): readonly Value[];
  /** Adds one operation and returns its first output. */
  op<K extends OpName>(op: K, inputs: readonly Value[], attributes: OpAttributes[K]): Value;
}

/** What a gradient rule sees while the graph is walked backwards. */
export interface GradientContext {
  readonly builder: NodeBuilder;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** d loss / d first output. Ops have one differentiable output, the first; the others are kept for the gradient. */
  readonly upstream: Value;
  /** Whether anything trainable lies behind this input; nothing is computed for the frozen rest. */
  readonly needs: (input: number) => boolean;
  /**
   * Adds to the gradient of an input. `make` gets what has been collected so far, so that an op which can accumulate
   * (gemm's third operand) saves a pass over memory.
   */
  readonly contribute: (input: number, make: (sum: Value | undefined) => Value) => void;
}

/**
 * All there is to know about one operation. `gradient: null` marks the ops that only occur inside gradients or in
 * decoding; they are never differentiated.
 */
export interface OpRow<A> {
  /** Output types, or an Error that names the op and the shapes which do not fit. */
  infer(inputs: readonly ValueType[], attributes: A): ValueType[];
  /** Slow, obvious, float64: the oracle in tests. */
  evaluate(inputs: readonly NdArray[], attributes: A, resolve: (dim: Dim) => number): NdArray[];
  readonly gradient: ((context: GradientContext, attributes: A) => void) | null;
  /** Emits ONNX nodes; returns the ONNX names of the outputs. */
  lower(emit: Emitter, inputs: readonly string[], attributes: A, types: readonly ValueType[]): readonly string[];
}

/** For rules that cannot accumulate by themselves. */
export function plus(builder: NodeBuilder, sum: Value | undefined, term: Value): Value {
  return sum === undefined ? term : builder.op("add", [sum, term], {});
}
