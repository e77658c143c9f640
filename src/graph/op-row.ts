import type { Dim } from "./dims.ts";
import type { Emitter } from "./emitter.ts";
import type { OpAttributes, OpName } from "./op-attributes.ts";
import type { Value, ValueType } from "./value.ts";

/** A tensor of the reference interpreter: every dtype is stored as float64. */
export interface NdArray {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** Adds nodes for gradient rules. */
export interface NodeBuilder {
  /** Adds one operation and returns all its outputs. */
  apply<K extends OpName>(op: K, inputs: readonly Value[], attributes: OpAttributes[K]): readonly Value[];
  /** Adds one operation and returns its first output. */
  op<K extends OpName>(op: K, inputs: readonly Value[], attributes: OpAttributes[K]): Value;
}

/** The facts that a gradient rule gets while the graph is walked backwards. */
export interface GradientContext {
  readonly builder: NodeBuilder;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** d loss / d first output. Most operations have one differentiable output, the first; the others are kept for the gradient. */
  readonly upstream: Value;
  /** d loss / d each output; undefined for those that the loss does not depend on. */
  readonly upstreams: readonly (Value | undefined)[];
  /** True where an input depends on a trainable value; nothing is computed for the frozen rest. */
  readonly needs: (input: number) => boolean;
  /**
   * Adds to the gradient of an input. `make` gets the sum so far, so that an op that can accumulate (gemm's third operand)
   * saves a pass over memory.
   */
  readonly contribute: (input: number, make: (sum: Value | undefined) => Value) => void;
}

/**
 * All rules of one operation. `gradient: null` marks the ops that only occur inside gradients or in decoding; they are
 * never differentiated.
 */
export interface OpRow<A> {
  /** Infers the output types. Throws an Error that names the op and the shapes that do not fit. */
  infer(inputs: readonly ValueType[], attributes: A): ValueType[];
  /** Computes the outputs slowly and obviously, in float64: the oracle in tests. */
  evaluate(inputs: readonly NdArray[], attributes: A, resolve: (dim: Dim) => number): NdArray[];
  readonly gradient: ((context: GradientContext, attributes: A) => void) | null;
  /** Emits ONNX nodes; returns the ONNX names of the outputs. */
  lower(emit: Emitter, inputs: readonly string[], attributes: A, types: readonly ValueType[]): readonly string[];
}

/** Adds a term to a gradient, for rules that cannot accumulate by themselves. */
export function plus(builder: NodeBuilder, sum: Value | undefined, term: Value): Value {
  return sum === undefined ? term : builder.op("add", [sum, term], {});
}
