import type { Graph } from "../graph/graph.ts";
import type { TensorData } from "../graph/value.ts";
import type { Weights } from "../model/weights.ts";

/** A tensor crossing the runtime port. Its type is that of `data`; integers are int64. */
export interface RuntimeTensor {
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** The tensor [data.length] with this data. */
export function vector(data: TensorData): RuntimeTensor {
  return { shape: [data.length], data };
}

/** One loaded graph. Calls to `run` must not overlap. */
export interface RuntimeSession {
  /**
   * Feeds every input of the graph by name and returns the outputs asked for. The whole graph runs whatever is asked;
   * what is not asked for is not copied out.
   */
  run(feeds: ReadonlyMap<string, RuntimeTensor>, outputs: readonly string[]): Promise<Map<string, RuntimeTensor>>;
  dispose(): Promise<void>;
}

/** Port: something that can run graphs. Implementations: ONNX Runtime (`node/`), the reference interpreter. */
export interface Runtime {
  /** Binds the graph's parameters to the weights. Throws a `UserError` of kind `model` where a weight is missing. */
  load(graph: Graph, weights: Weights): Promise<RuntimeSession>;
}
