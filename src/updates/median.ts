import { defineAggregator } from "./aggregator.ts";
import { coordinateWise } from "./coordinate-wise.ts";

/**
 * The median of each coordinate, the mean of the two middle values where their number is even (Yin et al. 2018,
 * "Byzantine-robust distributed learning: towards optimal statistical rates", alg. 1, option I). Fewer than half of the
 * clients cannot move a coordinate out of the range of the others.
 */
export const median = defineAggregator({
  settings: {},
  make: () =>
    coordinateWise("median", (sorted) => {
      const half = sorted.length >> 1;
      return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
    }),
});
