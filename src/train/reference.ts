import { zerosLike, type Params } from "../tensor/params.ts";
import type { Example, TrainingItem } from "./example.ts";
import type { Scorer } from "./scorer.ts";

/**
 * The items with the log-probabilities that the frozen base gives their answers. Single examples have no reference and come
 * back as they are. `adapter` says only which tensors there are: all zero, they change nothing.
 */
export async function referenceOf<T extends TrainingItem>(
  scorer: Pick<Scorer, "score">,
  adapter: Params,
  items: readonly T[],
  signal?: AbortSignal,
): Promise<T[]> {
  const scores = await scorer.score(zerosLike(adapter), items.flatMap(answersOf), signal);
  let at = 0;
  const logProbability = (): number => scores[at++]!.logProbability;
  return items.map((item) => {
    if ("chosen" in item) return { ...item, reference: { chosen: logProbability(), rejected: logProbability() } };
    if ("answer" in item) return { ...item, reference: { answer: logProbability(), mismatched: logProbability() } };
    return item;
  });
}

/** In the order in which the scores are taken above. */
function answersOf(item: TrainingItem): readonly Example[] {
  if ("chosen" in item) return [item.chosen, item.rejected];
  if ("answer" in item) return [item.answer, item.mismatched];
  return [];
}
