import { resolveDim } from "./dims.ts";
import type { Graph } from "./graph.ts";
import { ELEMENT_BYTES, type Value, type ValueType } from "./value.ts";

/** The values of the symbols in the shapes of a graph. */
export type Bindings = ReadonlyMap<string, number>;

/** Bytes of a tensor. */
export function bytesOf({ dtype, shape }: ValueType, bindings: Bindings): number {
  return shape.reduce<number>((bytes, dim) => bytes * resolveDim(dim, bindings), ELEMENT_BYTES[dtype]);
}

/**
 * The most bytes of inputs and results that are alive at once while the nodes run in their order. A result lives until its
 * last reader has run; inputs and outputs of the graph live to the end. Weights and constants are not counted.
 */
export function peakBytes(graph: Graph, bindings: Bindings): number {
  const lastReader = new Map<Value, number>();
  for (const [i, { inputs }] of graph.nodes.entries()) for (const value of inputs) lastReader.set(value, i);
  for (const value of graph.outputs.values()) lastReader.set(value, graph.nodes.length);
  const made = new Set<Value>();
  let alive = graph.inputs.reduce((bytes, value) => bytes + bytesOf(value, bindings), 0);
  let peak = alive;
  for (const [i, { inputs, outputs }] of graph.nodes.entries()) {
    for (const value of outputs) {
      made.add(value);
      alive += bytesOf(value, bindings);
    }
    peak = Math.max(peak, alive);
    for (const value of new Set([...inputs, ...outputs])) {
      // What nobody reads lives no longer than the node that made it.
      if ((lastReader.get(value) ?? i) === i && made.delete(value)) alive -= bytesOf(value, bindings);
    }
  }
  return peak;
}
