import type { Value } from "../graph/value.ts";
import type { ModelGraph } from "./model-graph.ts";

/** Normalises the rows of x by the weight `<name>.weight` [columns]. */
export type Norm = (graph: ModelGraph, x: Value, name: string, epsilon: number) => Value;

/** x/σ·weight of each row, σ² = mean(x²) + ε (Zhang & Sennrich 2019). */
export const rmsNorm: Norm = (graph, x, name, epsilon) => {
  const weight = graph.builder.parameter(`${name}.weight`, [x.shape[1] as number]);
  return normalized(graph, x, weight, epsilon);
};

/** RMS norm with the factor 1 + weight. */
export const offsetRmsNorm: Norm = (graph, x, name, epsilon) => {
  const width = x.shape[1] as number;
  const weight = graph.builder.parameter(`${name}.weight`, [width]);
  const ones = graph.constant(`ones.${width}`, [width], () => new Float32Array(width).fill(1));
  return normalized(graph, x, graph.builder.op("add", [weight, ones], {}), epsilon);
};

/** (x − mean)/σ·weight + bias of each row, σ² = mean((x − mean)²) + ε (Ba et al. 2016); the bias is `<name>.bias` [columns]. */
export const layerNorm: Norm = ({ builder }, x, name, epsilon) => {
  const shape = [x.shape[1] as number];
  const [weight, bias] = ["weight", "bias"].map((kind) => builder.parameter(`${name}.${kind}`, shape));
  return builder.op("layerNorm", [x, weight!, bias!], { epsilon });
};

function normalized(graph: ModelGraph, x: Value, weight: Value, epsilon: number): Value {
  const forwardOnly = graph.starts !== undefined;
  return graph.builder.op("rmsNorm", [x, weight], { epsilon, ...(forwardOnly ? { forwardOnly } : {}) });
}
