import { defineAggregator } from "./aggregator.ts";
import { geometricMedianMix } from "./robust/factors.ts";
import { gramOf, mixed, weightsOf } from "./robust/mixture.ts";
import { robustAggregator } from "./robust/robust-aggregator.ts";
import { distances, robustSettings } from "./robust/settings.ts";

/**
 * The geometric median, the point of the least weighted sum of distances to the updates, by 32 smoothed Weiszfeld steps on
 * their inner products (Pillutla et al. 2022, "Robust aggregation for federated learning", RFA).
 */
export const geometricMedian = defineAggregator({
  settings: { ...robustSettings, distances },
  make: ({ distances: on, ...settings }) =>
    robustAggregator(
      {
        name: "geometricMedian",
        weighted: true,
        fewest: (hostile) => 2 * hostile + 1,
        async combine(round) {
          const weights = weightsOf(round);
          const factors = geometricMedianMix(await gramOf(round, on), weights);
          return mixed(round, { factors, divisor: 1 }, weights);
        },
      },
      settings,
    ),
});
