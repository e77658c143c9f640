import type { Params } from "../tensor/params.ts";
import type { TrainingItem } from "../data/items/registry.ts";
import type { Objective } from "./objective.ts";
import type { Scorer } from "./scorer.ts";
import { addTallies, type Tally } from "./tally.ts";

export interface Measured {
  /** The objective's mean over the items; NaN for none. */
  readonly loss: number;
  /** The number that `loss` is a mean over: supervised tokens for `sft`, otherwise items. */
  readonly count: number;
  readonly supervisedTokens: number;
  readonly metrics: Tally;
}

/**
 * Computes an objective on items without training: the forward pass, then arithmetic in float64. The results of parts of a
 * set add up (losses by `count`); only KTO's z₀ is an estimate from the items of each call.
 */
export async function measure(
  scorer: Pick<Scorer, "score">,
  objective: Objective,
  adapter: Params,
  items: readonly TrainingItem[],
  signal?: AbortSignal,
): Promise<Measured> {
  const sequences = items.map((item) => objective.sequences(item));
  const scores = await scorer.score(adapter, sequences.flat(), signal);
  const divergence = (await objective.divergence?.(items, (others) => scorer.score(adapter, others, signal))) ?? 0;
  let sum = 0;
  let count = 0;
  let metrics: Tally = {};
  let at = 0;
  for (const [i, item] of items.entries()) {
    const own = scores.slice(at, (at += sequences[i]!.length));
    const value = objective.evaluate(item, own, divergence);
    sum += value.loss;
    count += objective.count(item);
    metrics = addTallies(metrics, value.metrics);
  }
  return { loss: sum / count, count, supervisedTokens: scores.reduce((a, { tokens }) => a + tokens, 0), metrics };
}
