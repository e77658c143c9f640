import type { Value } from "../graph/value.ts";
import type { ModelGraph } from "./model-graph.ts";

/** Normalises the rows of x by the weight `<name>.weight` [columns]. */
export type Norm = (graph: ModelGraph, x: Value, name: string, epsilon: number) => Value;

/** x/σ·weight of each row, σ² = mean(x²) + ε (Zhang & Sennrich 2019). */
export const rmsNorm: Norm = (graph, x, name, epsilon) => {
  const weight = graph.builder.parameter(`${name}.weight`, [x.shape[1] as number]);
  const forwardOnly = graph.starts !== undefined;
  return graph.builder.op("rmsNorm", [x, weight], { epsilon, ...(forwardOnly ? { forwardOnly } : {}) });
};
