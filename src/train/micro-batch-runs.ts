import { MINIMUM_LENGTH } from "../graph/ops-attention.ts";
import type { Graph } from "../graph/graph.ts";
import type { ModelConfig } from "../model/config.ts";
import { dropoutFeed, FEEDS } from "../model/feeds.ts";
import type { trainingGraph } from "../model/language-model.ts";
import type { LoraShape } from "../model/lora.ts";
import type { Weights } from "../model/weights.ts";
import type { Params } from "../tensor/params.ts";
import type { RandomStream } from "../tensor/random.ts";
import type { TrainingItem } from "../data/items/registry.ts";
import type { Example } from "../data/example.ts";
import { microBatches, padBatch, type PaddedBatch } from "./micro-batches.ts";
import type { Objective, StepFacts } from "./objective.ts";
import type { Runtime, RuntimeSession, RuntimeTensor } from "./runtime.ts";

/** Gives the stream of a dropout mask by its key. */
export type DropoutStreams = (...key: (string | number)[]) => RandomStream;

export interface TrainingOptions {
  readonly runtime: Runtime;
  readonly modelConfig: ModelConfig;
  readonly weights: Weights;
  readonly lora: LoraShape;
  /** LoRA dropout probability; 0 for none. */
  readonly dropout: number;
  /** Longest example, in tokens. */
  readonly maxLength: number;
  /** Padded tokens of one pass through the model (`training.microBatchTokens`). */
  readonly microBatchTokens: number;
  /** Default: `sft`. */
  readonly objective?: Objective | undefined;
}

/** A training graph that is loaded, with what its inputs are made from. */
export interface TrainingSession extends Pick<TrainingOptions, "dropout" | "microBatchTokens"> {
  readonly graph: Graph;
  readonly session: RuntimeSession;
  readonly objective: Objective;
}

/** Loads a graph that trains: the gradients of a step's mean, or of each sequence. */
export async function openTraining(
  graphOf: typeof trainingGraph,
  options: TrainingOptions & { readonly objective: Objective },
): Promise<TrainingSession> {
  const { runtime, modelConfig, weights, lora, dropout, maxLength, microBatchTokens, objective } = options;
  const graph = graphOf(modelConfig, lora, {
    maxLength: Math.max(maxLength, MINIMUM_LENGTH),
    dropout: dropout > 0,
    loss: objective.loss,
  });
  return { graph, session: await runtime.load(graph, weights), objective, dropout, microBatchTokens };
}

/** One pass through the model. */
export interface MicroBatchRun {
  /** Places of its items in the step. */
  readonly places: readonly number[];
  readonly batch: PaddedBatch;
  readonly results: ReadonlyMap<string, RuntimeTensor>;
}

export interface MicroBatchOptions {
  /** Facts for the loss of a micro-batch of these items. */
  readonly facts: (members: readonly TrainingItem[]) => StepFacts;
  readonly fetches: readonly string[];
  /** Gives the stream of the dropout mask of sequence `s` of the item at `place`, for a module. */
  readonly mask: (place: number, s: number, module: string) => RandomStream;
  /** Most sequences of one pass, unless one item has more. Default: no limit. */
  readonly mostSequences?: number | undefined;
}

/** Runs the items of a step through the model, one micro-batch after another. Those without a supervised token are left out. */
export async function* runMicroBatches(
  { graph, session, objective, dropout, microBatchTokens }: TrainingSession,
  adapter: Params,
  items: readonly TrainingItem[],
  { facts, fetches, mask, mostSequences }: MicroBatchOptions,
): AsyncGenerator<MicroBatchRun> {
  const masks = graph.inputs.filter(({ name }) => name.startsWith(dropoutFeed("")));
  const sequences: (readonly Example[])[] = items.map((item) => objective.sequences(item));
  for (const places of microBatches(sequences, microBatchTokens, mostSequences)) {
    const batch = padBatch(
      places.flatMap((i) => sequences[i]!),
      MINIMUM_LENGTH,
    );
    if (batch.labels.data.length === 0) continue;
    const members = places.map((i) => items[i]!);
    const feeds = new Map<string, RuntimeTensor>(adapter as ReadonlyMap<string, RuntimeTensor>);
    feeds.set(FEEDS.ids, batch.ids);
    feeds.set(FEEDS.rows, batch.rows);
    feeds.set(FEEDS.labels, batch.labels);
    for (const [name, tensor] of objective.feeds(members, facts(members))) feeds.set(name, tensor);
    const owners = places.flatMap((i) => sequences[i]!.map((_, s) => [i, s] as const));
    for (const { name, shape } of masks) {
      const heights = shape[0] === "rows" ? batch.counts : batch.counts.map(() => batch.ids.shape[1]!);
      const width = shape[1] as number;
      const parts = owners.map(([i, s], b) => mask(i, s, name).dropoutMask(heights[b]! * width, dropout));
      feeds.set(name, { shape: [heights.reduce((x, y) => x + y, 0), width], data: concatenated(parts) });
    }
    yield { places, batch, results: await session.run(feeds, fetches) };
  }
}

function concatenated(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
