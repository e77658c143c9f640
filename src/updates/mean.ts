import { weightOf } from "../algorithms/settings.ts";
import { defineAggregator } from "./aggregator.ts";
import { mean as meanOf, weightedSums } from "./weighted-sum.ts";

/**
 * The weighted mean of each group (McMahan et al. 2017, alg. 1), or its weighted sum. One running float64 sum a group, so
 * memory does not grow with the number of clients.
 */
export const mean = defineAggregator({
  settings: {},
  make: () => ({
    name: "mean",
    weighted: true,
    on: "adapter",
    async combine(groups, updates) {
      const sums = await weightedSums(groups, updates, (group, place) =>
        weightOf(groups[group]!.weighting, updates.entries[place]!.records),
      );
      return Object.fromEntries(
        Object.entries(groups).map(([name, { combined }]) => {
          const sum = sums[name];
          return [name, combined === "sum" && sum !== undefined ? sum.tensors : meanOf(sum)];
        }),
      );
    },
  }),
});
