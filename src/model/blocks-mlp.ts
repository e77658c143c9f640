import type { Value } from "../graph/value.ts";
import { linear } from "./blocks-linear.ts";
import type { LinearModule } from "./family.ts";
import type { ModelGraph } from "./model-graph.ts";

export interface GatedMlp {
  /** The modules of gate and up, or one module whose output has them side by side. */
  readonly gateUp: readonly LinearModule[];
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

/** factor·down(activation(gate(x))·up(x)) + residual, where there is one. */
export function gatedMlp(graph: ModelGraph, x: Value, mlp: GatedMlp, residual?: Value, factor?: number): Value {
  const products = mlp.gateUp.map((module) => linear(graph, x, module));
  const [gate, up] = products.length === 1 ? halves(graph, products[0]!) : products;
  return linear(graph, mlp.activation(graph, gate!, up!), mlp.down, residual, factor);
}

/** [tokens, 2·width] → two matrices [tokens, width]. */
function halves({ builder }: ModelGraph, x: Value): readonly Value[] {
  const width = (x.shape[1] as number) / 2;
  return builder.apply("splitColumns", [x], { widths: [width, width] });
}
