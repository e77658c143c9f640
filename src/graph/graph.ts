import { type Dim } from "./dims.ts";
import type { OpAttributes, OpName } from "./op-attributes.ts";
import type { NodeBuilder } from "./op-row.ts";
import { OPS } from "./ops.ts";
import type { DType, Value } from "./value.ts";

export interface GraphNode<K extends OpName = OpName> {
  readonly op: K;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly attributes: OpAttributes[K];
}

export interface Constant {
  readonly value: Value;
  readonly data: Float32Array;
}

/** A finished computation: inputs, frozen parameters and constants, nodes in the order of computation, and outputs. */
export interface Graph {
  readonly inputs: readonly Value[];
  /** Frozen base weights, by Hugging Face name; a runtime binds them from a `Weights`. */
  readonly parameters: readonly Value[];
  readonly constants: readonly Constant[];
  readonly nodes: readonly GraphNode[];
  readonly outputs: ReadonlyMap<string, Value>;
}

/** Builds a graph node by node. Shapes are inferred and checked as each node is added. */
export class GraphBuilder implements NodeBuilder {
  readonly nodes: GraphNode[] = [];
  readonly #inputs: Value[] = [];
  readonly #parameters = new Map<string, Value>();
  readonly #constants: Constant[] = [];
  readonly #outputs = new Map<string, Value>();
  #counter = 0;

  input(name: string, dtype: DType, shape: readonly Dim[]): Value {
    const value: Value = { name, dtype, shape };
    this.#inputs.push(value);
    return value;
  }

  /** Adds a frozen weight; a second call with its name returns the same value. */
  parameter(name: string, shape: readonly number[], dtype: DType = "float32"): Value {
    let value = this.#parameters.get(name);
    if (value === undefined) this.#parameters.set(name, (value = { name, dtype, shape }));
    return value;
  }

  constant(name: string, data: Float32Array, shape: readonly number[]): Value {
    const value: Value = { name, dtype: "float32", shape };
    this.#constants.push({ value, data });
    return value;
  }

  /** Adds one operation and returns all its outputs. */
  apply<K extends OpName>(op: K, inputs: readonly Value[], attributes: OpAttributes[K]): readonly Value[] {
    const outputs = OPS[op]
      .infer(inputs, attributes)
      .map((type): Value => ({ name: `${op}.${this.#counter++}`, ...type }));
    this.nodes.push({ op, inputs, outputs, attributes });
    return outputs;
  }

  /** Adds one operation and returns its first output. */
  op<K extends OpName>(op: K, inputs: readonly Value[], attributes: OpAttributes[K]): Value {
    return this.apply(op, inputs, attributes)[0]!;
  }

  output(name: string, value: Value): void {
    this.#outputs.set(name, value);
  }

  build(): Graph {
    return {
      inputs: this.#inputs,
      parameters: [...this.#parameters.values()],
      constants: this.#constants,
      nodes: this.nodes,
      outputs: this.#outputs,
    };
  }
}
