import { zerosLike, type Params } from "../tensor/params.ts";
import type { Example, TrainingItem } from "../data/example.ts";
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
  return items.map((item) =>
    answersOf(item).length === 0 ? item : withReference(item, logProbability(), logProbability()),
  );
}

/** A pair or a rated answer with the log-probabilities of its two sequences, in the order of `answersOf`. */
export function withReference<T extends TrainingItem>(item: T, first: number, second: number): T {
  return "chosen" in item
    ? { ...item, reference: { chosen: first, rejected: second } }
    : { ...item, reference: { answer: first, mismatched: second } };
}

/** In the order in which the scores are taken above. */
function answersOf(item: TrainingItem): readonly Example[] {
  if ("chosen" in item) return [item.chosen, item.rejected];
  if ("answer" in item) return [item.answer, item.mismatched];
  return [];
}
