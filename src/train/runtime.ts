import type { Graph } from "../graph/graph.ts";
import type { TensorData } from "../graph/value.ts";
import type { Weights } from "../model/weights.ts";

/** A tensor that a runtime takes or returns. Its type is that of `data`; integers are int64. */
export interface RuntimeTensor {
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** Makes the tensor [data.length] of this data. */
export function vector(data: TensorData): RuntimeTensor {
  return { shape: [data.length], data };
}

/** One loaded graph. Calls to `run` must not overlap. */
export interface RuntimeSession {
  /**
   * Feeds every input of the graph by name and returns the named outputs. The whole graph runs in any case; other outputs
   * are not copied out.
   */
  run(feeds: ReadonlyMap<string, RuntimeTensor>, outputs: readonly string[]): Promise<Map<string, RuntimeTensor>>;
  dispose(): Promise<void>;
}

/** PORT: runs graphs. Implementations: ONNX Runtime (`node/`), the reference interpreter. */
export interface Runtime {
  /** Binds the graph's parameters to the weights. Throws a `UserError` of kind `model` where a weight is missing. */
  load(graph: Graph, weights: Weights): Promise<RuntimeSession>;
}
