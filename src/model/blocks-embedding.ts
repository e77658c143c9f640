import type { Value } from "../graph/value.ts";
import type { ModelConfig } from "./config.ts";
import type { ModelGraph } from "./model-graph.ts";
import { EMBEDDING, HEAD } from "./own-head.ts";

type HeadConfig = Pick<ModelConfig, "vocabSize" | "hiddenSize"> & {
  /** True: the LM head is the embedding table. */
  readonly tiedHead: boolean;
  /** Divisor of the logits; absent: 1. */
  readonly logitDivisor?: number;
  /** c of c·tanh(logit/c); absent: logits are not capped. */
  readonly logitCap?: number;
};

/** Shapes of the embedding table and, where it is not tied, the LM head. */
export function embeddingTensors({ vocabSize, hiddenSize, tiedHead }: HeadConfig): {
  readonly embedding: readonly [string, readonly number[]];
  readonly head: readonly (readonly [string, readonly number[]])[];
} {
  const shape = [vocabSize, hiddenSize];
  return { embedding: [EMBEDDING, shape], head: tiedHead ? [] : [[HEAD, shape]] };
}

/** The ids' rows of the embedding table, [tokens, hidden]. */
export function tokenEmbedding(graph: ModelGraph, { vocabSize, hiddenSize }: ModelConfig): Value {
  const table = graph.builder.parameter(EMBEDDING, [vocabSize, hiddenSize]);
  return graph.builder.op("gatherRows", [table, graph.ids], {});
}

/** norm(x)·Wᵀ, W the LM head or the embedding table, divided and capped as configured: logits [rows, vocabulary]. */
export function languageModelHead({ builder }: ModelGraph, config: HeadConfig, norm: () => Value): Value {
  const { logitDivisor, logitCap } = config;
  const weight = builder.parameter(config.tiedHead ? EMBEDDING : HEAD, [config.vocabSize, config.hiddenSize]);
  const logits = builder.op("gemm", [norm(), weight], {
    transB: true,
    ...(logitDivisor === undefined ? {} : { alpha: 1 / logitDivisor }),
  });
  return logitCap === undefined ? logits : builder.op("softCap", [logits], { cap: logitCap });
}
