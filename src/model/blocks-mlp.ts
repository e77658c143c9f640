import type { Value } from "../graph/value.ts";
import { linear } from "./blocks-linear.ts";
import type { LinearModule } from "./family.ts";
import type { ModelGraph } from "./model-graph.ts";

export interface GatedMlp {
  readonly gate: LinearModule;
  readonly up: LinearModule;
  readonly down: LinearModule;
  readonly activation: GatedActivation;
}

/** activation(gate)·up, all [tokens, intermediate] (Shazeer 2020). */
export type GatedActivation = (graph: ModelGraph, gate: Value, up: Value) => Value;

export const swiglu: GatedActivation = ({ builder, exported }, gate, up) => {
  if (exported === undefined) return builder.op("swiglu", [gate, up], {});
  // The operation has a node of ONNX Runtime's own.
  const silu = builder.op("multiply", [gate, builder.op("sigmoid", [gate], {})], {});
  return builder.op("multiply", [silu, up], {});
};

export const geglu: GatedActivation = ({ builder }, gate, up) =>
  builder.op("multiply", [builder.op("gelu", [gate], {}), up], {});

/** down(activation(gate(x))·up(x)) + residual. */
export function gatedMlp(graph: ModelGraph, x: Value, mlp: GatedMlp, residual: Value): Value {
  const gate = linear(graph, x, mlp.gate);
  const up = linear(graph, x, mlp.up);
  return linear(graph, mlp.activation(graph, gate, up), mlp.down, residual);
}
