import type { Value } from "../graph/value.ts";
import { linear } from "./blocks-linear.ts";
import type { LinearModule } from "./family.ts";
import type { ModelGraph } from "./model-graph.ts";

export interface GatedMlp {
  readonly gate: LinearModule;
  readonly up: LinearModule;
  readonly down: LinearModule;
  /** Operation that makes activation(gate)·up. */
  readonly activation: "swiglu";
}

/** down(activation(gate(x))·up(x)) + residual (Shazeer 2020). */
export function gatedMlp(graph: ModelGraph, x: Value, mlp: GatedMlp, residual: Value): Value {
  const gate = linear(graph, x, mlp.gate);
  const up = linear(graph, x, mlp.up);
  return linear(graph, graph.builder.op(mlp.activation, [gate, up], {}), mlp.down, residual);
}
