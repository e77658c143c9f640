import { kindOf, type TrainingItem } from "../data/items/registry.ts";
import type { Params } from "../tensor/params.ts";
import type { Scorer } from "./scorer.ts";

/**
 * Fills in the log-probabilities that the reference model gives the answers of items: the base with the adapter that training
 * starts from. Items of a kind without a reference come back as they are.
 */
export async function referenceOf<T extends TrainingItem>(
  scorer: Pick<Scorer, "score">,
  adapter: Params,
  items: readonly T[],
  signal?: AbortSignal,
): Promise<T[]> {
  const sequences = items.map((item) => kindOf(item).reference?.sequences(item) ?? []);
  const scores = await scorer.score(adapter, sequences.flat(), signal);
  let at = 0;
  return items.map((item, i) => {
    const own = scores.slice(at, (at += sequences[i]!.length));
    return withReference(
      item,
      own.map(({ logProbability }) => logProbability),
    );
  });
}

/** An item with its reference: the reference model's log-probability of each of its sequences, nats, in their order. */
export function withReference<T extends TrainingItem>(item: T, logProbabilities: readonly number[]): T {
  return (kindOf(item).reference?.fill(item, logProbabilities) ?? item) as T;
}
