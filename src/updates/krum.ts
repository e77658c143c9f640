import { defineAggregator } from "./aggregator.ts";
import { krumChoice } from "./robust/krum.ts";
import { gramOf, mixed } from "./robust/mixture.ts";
import { robustAggregator } from "./robust/robust-aggregator.ts";
import { distances, robustSettings } from "./robust/settings.ts";

/**
 * The one update that is nearest to its n − f − 2 nearest others (Blanchard et al. 2017, "Machine learning with
 * adversaries"). It throws away all other updates.
 */
export const krum = defineAggregator({
  settings: { ...robustSettings, distances },
  make: ({ distances: on, ...settings }) =>
    robustAggregator(
      {
        name: "krum",
        weighted: false,
        fewest: (hostile) => 2 * hostile + 3,
        async combine(round) {
          const chosen = krumChoice(await gramOf(round, on), round.hostile);
          const factors = round.updates.entries.map((_, i) => (i === chosen ? 1 : 0));
          return mixed(round, { factors, divisor: 1 });
        },
      },
      settings,
    ),
});
