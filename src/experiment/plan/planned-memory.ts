import type { Graph } from "../../graph/graph.ts";
import { type Bindings, bytesOf, peakBytes } from "../../graph/memory.ts";
import { attentionBindings, MINIMUM_LENGTH } from "../../graph/ops-attention.ts";
import type { Example } from "../../data/example.ts";
import { itemKind, kindOf, type TrainingItem } from "../../data/items/registry.ts";
import { recordGradientGraph, scoringGraph, trainingGraph } from "../../model/language-model.ts";
import { supervisedTokens } from "../../train/micro-batches.ts";
import type { Objective } from "../../train/objective.ts";
import { withReference } from "../../train/reference.ts";
import type { Prepared } from "../prepare.ts";

/** Memory of a run in bytes, from shapes alone. */
export interface PlannedMemory {
  /** Node.js, the engine, the tokenizer and the records: about as much for any model; measured on Linux x64. */
  readonly program: number;
  /** The weights, mapped from their file. */
  readonly weights: number;
  /** The engine's own arrangement of the weights, for training and for scoring. */
  readonly arranged: number;
  /** The largest micro-batches of training and scoring: inputs and results that are alive at once. */
  readonly step: number;
  readonly total: number;
}

const PROGRAM_BYTES = 200e6;

export function plannedMemory(prepared: Prepared): PlannedMemory {
  const { config, model, lora, objective, trainers } = prepared;
  const trained = trainers.flatMap(({ train }) => train.map((item) => sequencesOf(objective, item)));
  const scored = scoredSequences(prepared);
  const maxLength = Math.max(config.data.maxLength, MINIMUM_LENGTH);
  const graphOf = config.privacy?.record === undefined ? trainingGraph : recordGradientGraph;
  const training = graphOf(model.modelConfig, lora, {
    maxLength,
    dropout: !itemKind(objective.items).isPreference && config.adapter.dropout > 0,
    loss: objective.loss,
  });
  const weights = weightBytes(training);
  const scoring = scoringGraph(model.modelConfig, lora, { maxLength });
  const scores = scored.map((sequence) => [sequence]);
  // Both engines keep what they once took.
  const step =
    peakBytes(training, largestBatch(trained, prepared)) +
    (scores.length === 0 ? 0 : peakBytes(scoring, largestBatch(scores, prepared)));
  const arranged = scores.length === 0 ? weights : 2 * weights;
  return { program: PROGRAM_BYTES, weights, arranged, step, total: PROGRAM_BYTES + weights + arranged + step };
}

/** Bytes of the frozen weights that a graph reads. */
function weightBytes({ parameters }: Graph): number {
  return parameters.reduce((bytes, value) => bytes + bytesOf(value, new Map()), 0);
}

/** The sequences of an item that a step computes. The base's log-probabilities of them need not be known. */
export function sequencesOf(objective: Objective, item: TrainingItem): readonly Example[] {
  return objective.sequences(withoutReference(item));
}

/** An item that an objective with a reference takes before there is one; its loss means nothing. */
export function withoutReference(item: TrainingItem): TrainingItem {
  const { reference } = kindOf(item);
  return reference === undefined
    ? item
    : withReference(
        item,
        reference.sequences(item).map(() => 0),
      );
}

/** The sequences that an evaluation of the run scores. */
export function scoredSequences({ objective, clients, common }: Prepared): readonly Example[] {
  return [common, ...clients.map(({ heldOut }) => heldOut)].flatMap(({ items, pairs, choices }) => [
    ...items.flatMap((item) => sequencesOf(objective, item)),
    ...pairs.flatMap(({ chosen, rejected }) => [chosen, rejected]),
    ...choices.flatMap(({ options }) => options),
  ]);
}

/** The sizes of the largest micro-batch that items of these sequences can make. */
function largestBatch(
  items: readonly (readonly Example[])[],
  { config: { training }, model: { modelConfig } }: Pick<Prepared, "config" | "model">,
): Bindings {
  const width = items.reduce((most, { length }) => Math.max(most, length), 1);
  const all = items.flat();
  const length = all.reduce((most, { tokens }) => Math.max(most, tokens.length), MINIMUM_LENGTH);
  const fitting = Math.floor(training.microBatchTokens / (length * width));
  const perStep = training.batchSize * training.gradientAccumulation;
  const count = Math.max(1, Math.min(fitting, perStep, items.length));
  const rows = count * width * all.reduce((most, each) => Math.max(most, supervisedTokens(each)), 1);
  return new Map([
    ...attentionBindings(length, modelConfig.heads / modelConfig.kvHeads),
    ["batch", count * width],
    ["length", length],
    ["rows", rows],
    // Terms of a preference loss: at most one for each sequence.
    ["pairs", count],
    ["terms", count * width],
  ]);
}
