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

/** Facts of a step that neither its items nor the objective know. */
export interface StepFacts {
  /** The denominator of the step's mean loss: the sum of its items' counts. */
  readonly total: number;
  /** KTO's z₀, nats; 0 for every other objective. */
  readonly divergence: number;
}

/** Log-probabilities of sequences under the model with an adapter: `Scorer.score`. */
export type ScoreSequences = (
  adapter: Params,
  sequences: readonly Example[],
  signal?: AbortSignal,
) => Promise<readonly Score[]>;

/**
 * The loss that training lowers: a function of the log-probabilities that the model gives the supervised tokens of items. It
 * is written twice: as nodes of the training graph with what they are fed (`loss`, `feeds`), and slowly, in float64, as its
 * paper has it (`evaluate`).
 */
export interface Objective {
  readonly name: string;
  /** The kind of items that the objective learns from. */
  readonly items: ItemKindName;
  /** True where items need the base's log-probabilities (`referenceOf`). */
  readonly reference: boolean;
  /**
   * The sequences of an item whose log-probabilities the loss is made of; they run through the model together.
   *
   * @throws Error for an item of another kind, without its reference, or with an answer that has no supervised token.
   */
  readonly sequences: (item: TrainingItem) => readonly Example[];
  /** The part of an item in the denominator of the mean: its supervised tokens for `sft`, otherwise 1. */
  readonly count: (item: TrainingItem) => number;
  /** The graph's scalar loss from the log-probabilities [rows]; makes the inputs that `feeds` fills. */
  readonly loss: (builder: GraphBuilder, logProbabilities: Value) => Value;
  /**
   * For a micro-batch of items: their part of the step's mean, so that the parts add up to it. Rows are the supervised
   * tokens of their sequences, in order.
   */
  readonly feeds: (items: readonly TrainingItem[], step: StepFacts) => readonly (readonly [string, RuntimeTensor])[];
  /** An item's loss, not yet divided by anything, and what people look at; from one score a sequence. */
  readonly evaluate: (
    item: TrainingItem,
    scores: readonly Score[],
    divergence: number,
  ) => { readonly loss: number; readonly metrics: Tally };
  /** KTO: z₀ of a step, from log-probabilities of other sequences than the loss is on. */
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

/** The part of an item that was measured on the base. */
export function referenceOrThrow<T>(objective: string, item: { readonly id: string; readonly reference?: T }): T {
  if (item.reference === undefined) {
    throw new Error(
      `${objective} needs the base's log-probabilities, but '${item.id}' has none: fill them with referenceOf`,
    );
  }
  return item.reference;
}

/** An average over no token would be NaN, and a sum over none would say nothing. */
export function requireAnswer(id: string, which: string, sequence: Example): void {
  if (supervisedTokens(sequence) === 0) throw new Error(`'${id}': its ${which} answer has no supervised token`);
}
