import { MINIMUM_LENGTH } from "../graph/ops-attention.ts";
import type { ModelConfig } from "../model/config.ts";
import { FEEDS, FETCHES } from "../model/feeds.ts";
import { scoringGraph } from "../model/language-model.ts";
import type { LoraShape } from "../model/lora.ts";
import type { Weights } from "../model/weights.ts";
import type { Params } from "../tensor/params.ts";
import type { Example } from "../data/example.ts";
import { microBatches, padBatch } from "./micro-batches.ts";
import type { Runtime, RuntimeTensor } from "./runtime.ts";

export interface ScorerOptions {
  readonly runtime: Runtime;
  readonly modelConfig: ModelConfig;
  readonly weights: Weights;
  /** Shape of the adapters; undefined: the bare base. */
  readonly lora: LoraShape | undefined;
  readonly maxLength: number;
  readonly microBatchTokens: number;
}

export interface Score {
  /** Sum of the log-probabilities of the supervised tokens, nats. */
  readonly logProbability: number;
  readonly tokens: number;
}

/** Adds up the log-probabilities of supervised tokens, sequence by sequence. */
export function scoresOf(logProbabilities: Float32Array, counts: readonly number[]): Score[] {
  let at = 0;
  return counts.map((tokens) => {
    let logProbability = 0;
    for (const end = at + tokens; at < end; at++) logProbability += logProbabilities[at]!;
    return { logProbability, tokens };
  });
}

/** Scores sequences with one frozen base and any adapter of one shape: the forward pass only. */
export interface Scorer {
  /** Returns one score for each example, in order. `onScored` gets the number of those that are new since its last call. */
  score(
    adapter: Params,
    examples: readonly Example[],
    signal?: AbortSignal,
    onScored?: (examples: number) => void,
  ): Promise<Score[]>;
  dispose(): Promise<void>;
}

export async function openScorer({
  runtime,
  modelConfig,
  weights,
  lora,
  maxLength,
  microBatchTokens,
}: ScorerOptions): Promise<Scorer> {
  const session = await runtime.load(
    scoringGraph(modelConfig, lora, { maxLength: Math.max(maxLength, MINIMUM_LENGTH) }),
    weights,
  );
  return {
    async score(adapter, examples, signal, onScored) {
      const scores: Score[] = examples.map(() => ({ logProbability: 0, tokens: 0 }));
      const alone = examples.map((example) => [example]);
      for (const group of microBatches(alone, microBatchTokens)) {
        signal?.throwIfAborted();
        const members = group.map((i) => examples[i]!);
        const { ids, rows, labels, counts } = padBatch(members, MINIMUM_LENGTH);
        const feeds = new Map<string, RuntimeTensor>(adapter as ReadonlyMap<string, RuntimeTensor>);
        feeds.set(FEEDS.ids, ids).set(FEEDS.rows, rows).set(FEEDS.labels, labels);
        const results = await session.run(feeds, [FETCHES.logProbabilities]);
        const data = results.get(FETCHES.logProbabilities)!.data as Float32Array;
        scoresOf(data, counts).forEach((score, b) => (scores[group[b]!] = score));
        onScored?.(group.length);
      }
      return scores;
    },
    dispose: () => session.dispose(),
  };
}
