import type { UpdateGroups } from "../algorithms/algorithm.ts";
import { weightOf } from "../algorithms/settings.ts";
import { type Aggregation, defineAggregator } from "./aggregator.ts";
import { addWeighted, mean as meanOf, type WeightedSum } from "./weighted-sum.ts";

/**
 * The weighted mean of each group (McMahan et al. 2017, alg. 1), or its weighted sum. One running float64 sum a group, so
 * memory does not grow with the number of clients.
 */
export const mean = defineAggregator({
  settings: {},
  make: () => ({ name: "mean", weighted: true, start: (groups) => summed(groups, {}) }),
});

function summed(groups: UpdateGroups, sums: Readonly<Record<string, WeightedSum>>): Aggregation {
  const names = Object.keys(groups);
  return {
    add: (update, records) =>
      summed(
        groups,
        Object.fromEntries(
          names.map((name) => [
            name,
            addWeighted(sums[name], update[name]!, weightOf(groups[name]!.weighting, records)),
          ]),
        ),
      ),
    finish: () =>
      Object.fromEntries(
        names.map((name) => {
          const sum = sums[name];
          return [name, groups[name]!.combined === "sum" && sum !== undefined ? sum.tensors : meanOf(sum)];
        }),
      ),
  };
}
