import type { ExperimentConfig } from "../../settings/schema.ts";
import { stream } from "../../tensor/random.ts";
import type { HeldOut } from "./record-encoder.ts";

/** Fewest records of a held-out set that is dealt in two without being asked: halves of fewer say little. */
export const FEWEST_TO_DEAL = 20;

/** A held-out set in two: records to choose the best round by, and the records that are reported. */
export interface DealtSet {
  readonly validation: HeldOut;
  readonly test: HeldOut;
}

/**
 * Deals a set in two halves by its records, for a run that chooses a best round and names no validation part. The same for every
 * run with its data seed. Undefined for a set that stays whole: one with few records, or of which a half would be withheld.
 */
export function dealtToChoose(
  set: string,
  { items, pairs, choices }: HeldOut,
  { data, evaluation, seed }: Pick<ExperimentConfig, "data" | "evaluation" | "seed">,
): DealtSet | undefined {
  if (evaluation.validation !== undefined || evaluation.part !== undefined) return undefined;
  const ids = [...new Set(items.map(recordOf))];
  if (ids.length < Math.max(FEWEST_TO_DEAL, 2 * (evaluation.minRecords ?? 1))) return undefined;
  const places = stream(data.seed ?? seed, "validation", set).sample(ids.length, Math.floor(ids.length / 2));
  const chosen = new Set(places.map((place) => ids[place]!));
  const half = (isChosen: boolean): HeldOut => {
    const has = (item: { readonly id: string }): boolean => chosen.has(recordOf(item)) === isChosen;
    return {
      items: items.filter(has),
      pairs: pairs.filter(has),
      choices: choices.filter((each) => has(each.options[0]!)),
    };
  };
  return { validation: half(true), test: half(false) };
}

/** The record that an item is of. KTO makes two items of a pair. */
function recordOf({ id }: { readonly id: string }): string {
  return id.replace(/\/(?:chosen|rejected)$/, "");
}
