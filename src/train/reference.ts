import { kindOf, type TrainingItem } from "../data/items/registry.ts";
import { zerosLike, type Params } from "../tensor/params.ts";
import type { Scorer } from "./scorer.ts";

/**
 * Fills in the log-probabilities that the frozen base gives the answers of items. Items of a kind without a reference come
 * back as they are. `adapter` says only which tensors there are: with all of them zero, the model is the base.
 */
export async function referenceOf<T extends TrainingItem>(
  scorer: Pick<Scorer, "score">,
  adapter: Params,
  items: readonly T[],
  signal?: AbortSignal,
): Promise<T[]> {
  const sequences = items.map((item) => kindOf(item).reference?.sequences(item) ?? []);
  const scores = await scorer.score(zerosLike(adapter), sequences.flat(), signal);
  let at = 0;
  return items.map((item, i) => {
    const own = scores.slice(at, (at += sequences[i]!.length));
    return withReference(
      item,
      own.map(({ logProbability }) => logProbability),
    );
  });
}

/** An item with its reference: the base's log-probability of each of its sequences, nats, in their order. */
export function withReference<T extends TrainingItem>(item: T, logProbabilities: readonly number[]): T {
  return (kindOf(item).reference?.fill(item, logProbabilities) ?? item) as T;
}
