import { weightOf } from "../algorithms/settings.ts";
import { defineAggregator } from "./aggregator.ts";
import { addWeighted, mean as meanOf, type WeightedSum } from "./weighted-sum.ts";

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
    async combine(groups, { entries, read }) {
      const sums: Record<string, WeightedSum> = {};
      for (const [place, { records }] of entries.entries()) {
        const update = await read(place);
        for (const [name, { weighting }] of Object.entries(groups)) {
          sums[name] = addWeighted(sums[name], update[name]!, weightOf(weighting, records));
        }
      }
      return Object.fromEntries(
        Object.entries(groups).map(([name, { combined }]) => {
          const sum = sums[name];
          return [name, combined === "sum" && sum !== undefined ? sum.tensors : meanOf(sum)];
        }),
      );
    },
  }),
});
