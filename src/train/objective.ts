import { z } from "zod";
import type { GraphBuilder } from "../graph/graph.ts";
import type { Value } from "../graph/value.ts";
import type { Declared, SettingFields } from "../registry/declared.ts";
import type { Params } from "../tensor/params.ts";
import type { Example } from "../data/example.ts";
import type { ItemKindName, TrainingItem } from "../data/items/registry.ts";
import { supervisedTokens } from "./micro-batches.ts";
import type { RuntimeTensor } from "./runtime.ts";
import type { Score } from "./scorer.ts";
import type { Tally } from "./tally.ts";

/** Facts of a whole step, which a micro-batch does not know. */
export interface StepFacts {
  /** The denominator of the step's mean loss: the sum of its items' counts. */
  readonly total: number;
  /** KTO's z₀, nats; 0 for every other objective. */
  readonly divergence: number;
  /** All items of the step. */
  readonly items: readonly TrainingItem[];
}

/** Computes log-probabilities of sequences under the model with an adapter: `Scorer.score`. */
export type ScoreSequences = (
  adapter: Params,
  sequences: readonly Example[],
  signal?: AbortSignal,
) => Promise<readonly Score[]>;

/**
 * The loss that training lowers: a function of the log-probabilities of the supervised tokens of items. It is written twice:
 * as nodes of the training graph with their inputs (`loss`, `feeds`), and slowly, in float64, as in its paper
 * (`evaluate`).
 */
export interface Objective {
  readonly name: string;
  /** The kind of items that the objective learns from. */
  readonly items: ItemKindName;
  /**
   * The part of an item's loss that depends on the other items of the step, as a clause: `its reference point is a mean over
   * the batch`. Undefined: each item's loss is its own, and the step's is their mean.
   */
  readonly overBatch?: string | undefined;
  /** True where items need the base's log-probabilities (`referenceOf`). */
  readonly reference: boolean;
  /**
   * Lists the sequences of an item that the loss uses; they run through the model together.
   *
   * @throws Error for an item of another kind, without its reference, or with an answer that has no supervised token.
   */
  readonly sequences: (item: TrainingItem) => readonly Example[];
  /** Counts an item in the denominator of the mean: its supervised tokens for `sft`, otherwise 1. */
  readonly count: (item: TrainingItem) => number;
  /** Appends the scalar loss of the log-probabilities [rows] to the graph, with the inputs that `feeds` fills. */
  readonly loss: (builder: GraphBuilder, logProbabilities: Value) => Value;
  /**
   * Fills the inputs for a micro-batch of items, so that its loss is its part of the step's mean and the parts add up. Rows
   * are the supervised tokens of the items' sequences, in order.
   */
  readonly feeds: (items: readonly TrainingItem[], step: StepFacts) => readonly (readonly [string, RuntimeTensor])[];
  /** Computes an item's loss, not divided by a count, and its metrics, from the score of each sequence. */
  readonly evaluate: (
    item: TrainingItem,
    scores: readonly Score[],
    divergence: number,
  ) => { readonly loss: number; readonly metrics: Tally };
  /** KTO: computes z₀ of a step from log-probabilities of sequences that are not in the loss. */
  readonly divergence?: (
    items: readonly TrainingItem[],
    score: (sequences: readonly Example[]) => Promise<readonly Score[]>,
  ) => Promise<number>;
}

/** Declares an objective with the settings of `objective` that it reads. */
export function defineObjective<F extends SettingFields>(
  objective: Declared<F, [], Objective>,
): Declared<F, [], Objective> {
  return objective;
}

/** A setting that several objectives read. */
export const BETA = z
  .number()
  .positive()
  .optional()
  .describe("Strength of a preference; ORPO's lambda. Default: the objective's own (docs/value-alignment.md).");

/** Returns an item's reference, the log-probabilities of the base. @throws Error where it has none. */
export function referenceOrThrow<T>(objective: string, item: { readonly id: string; readonly reference?: T }): T {
  if (item.reference === undefined) {
    throw new Error(
      `${objective} needs the base's log-probabilities, but '${item.id}' has none: fill them with referenceOf`,
    );
  }
  return item.reference;
}

/** Throws for an answer without a supervised token: an average over no token would be NaN. */
export function requireAnswer(id: string, which: string, sequence: Example): void {
  if (supervisedTokens(sequence) === 0) throw new Error(`'${id}': its ${which} answer has no supervised token`);
}
