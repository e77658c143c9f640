import { type Estimate, meanDifference } from "../evaluation/metrics/estimate.ts";
import { type Comparison, type Group, lastRound } from "./comparison.ts";
import { valueOf, type View } from "./figures.ts";
import { metricValues } from "./metric-values.ts";
import type { StoredRun } from "./stored-run.ts";

/** A group less the reference group, over the seeds that both have. */
export interface SeedPairs {
  readonly group: Group;
  /** By view; n is the number of seeds. A view that one of the two did not measure is absent. */
  readonly differences: Readonly<Partial<Record<View, Estimate>>>;
}

const PAIRED: readonly View[] = ["common", "own"];

/**
 * Compares every group with the first, seed by seed: what makes a seed easy or hard for both cancels. Empty where no two
 * finished groups share two seeds, or the metric is another quantity in other rows.
 */
export function seedPairs({ groups, incomparable }: Comparison, metric: string): SeedPairs[] {
  const [reference, ...others] = groups.filter(({ state }) => state === undefined);
  if (reference === undefined || incomparable.has(metric)) return [];
  return others.flatMap((group) => {
    const differences: Partial<Record<View, Estimate>> = {};
    for (const view of PAIRED) {
      const pairs = group.runs.flatMap((run) => {
        const partner = reference.runs.find(({ seed }) => seed === run.seed);
        const [mine, its] = [run, partner].map((each) => each && finalValue(each, metric, view));
        return mine === undefined || its === undefined ? [] : [mine - its];
      });
      if (pairs.length >= 2) differences[view] = meanDifference(pairs);
    }
    return Object.keys(differences).length === 0 ? [] : [{ group, differences }];
  });
}

function finalValue(run: StoredRun, metric: string, view: View): number | undefined {
  const round = lastRound(run);
  const values = round && metricValues(round, metric);
  return values && valueOf(values, metric, view);
}
