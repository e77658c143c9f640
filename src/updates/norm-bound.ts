import { z } from "zod";
import { defineAggregator } from "./aggregator.ts";
import { gramOnFactors } from "./robust/distances.ts";
import { boundFactors } from "./robust/factors.ts";
import { gramOf, mixed, weightsOf } from "./robust/mixture.ts";
import { robustAggregator } from "./robust/robust-aggregator.ts";
import { buckets, distances } from "./robust/settings.ts";

/**
 * The weighted mean of changes that are scaled to a norm of at most a bound: x·min(1, bound/‖x‖) (Sun et al. 2019, "Can you
 * really backdoor federated learning?", section 4). Each further group has a bound of its own, the median of its norms.
 */
export const normBound = defineAggregator({
  settings: {
    normBound: z
      .number()
      .positive()
      .optional()
      .describe("Largest norm of a client's change. Default: the median of the round."),
    distances,
    buckets,
  },
  make: ({ normBound: bound, distances: on, ...settings }) =>
    robustAggregator(
      {
        name: "normBound",
        weighted: true,
        fewest: () => 1,
        async combine(round) {
          const mixes: Record<string, { factors: number[]; divisor: number }> = {};
          for (const [group, { like }] of Object.entries(round.groups)) {
            const own = group === "delta";
            const gram = own ? await gramOf(round, on) : await gramOnFactors(round.updates, group, like);
            const weights = weightsOf(round, group);
            const factors = boundFactors(gram, own ? bound : undefined).map((factor, i) => factor * weights[i]!);
            mixes[group] = { factors, divisor: weights.reduce((sum, weight) => sum + weight, 0) };
          }
          return mixed(round, mixes, weightsOf(round));
        },
      },
      settings,
    ),
});
