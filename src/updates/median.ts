import { defineAggregator } from "./aggregator.ts";
import { byCoordinate } from "./robust/coordinate-rule.ts";
import { medianRule } from "./robust/coordinates.ts";
import { robustAggregator } from "./robust/robust-aggregator.ts";
import { buckets } from "./robust/settings.ts";

/**
 * The median of each coordinate, the mean of the two middle values where their number is even (Yin et al. 2018,
 * "Byzantine-robust distributed learning: towards optimal statistical rates", alg. 1, option I). Fewer than half of the
 * clients cannot move a coordinate out of the range of the others.
 */
export const median = defineAggregator({
  settings: { buckets },
  make: (settings) => {
    if (settings.buckets !== undefined) {
      const name = "median";
      const rule = { name, weighted: false, fewest: () => 1 };
      return robustAggregator({ ...rule, combine: (round) => byCoordinate(round, medianRule()) }, settings);
    }
    return {
      name: "median",
      weighted: false,
      on: "adapter",
      async combine(groups, updates, { report }) {
        const { entries } = updates;
        const round = { groups, updates, participants: entries.length };
        const { combined, weights } = await byCoordinate(round, medianRule());
        for (const [i, { client }] of entries.entries()) report?.({ client, weight: weights[i]! });
        return combined;
      },
    };
  },
});
