import { defineAggregator } from "./aggregator.ts";
import { multiKrumChoice } from "./robust/krum.ts";
import { gramOf, mixed } from "./robust/mixture.ts";
import { robustAggregator } from "./robust/robust-aggregator.ts";
import { distances, robustSettings } from "./robust/settings.ts";

/**
 * The mean of the n − f updates with the best scores of Krum (Blanchard et al. 2017, section 6). The proof holds for n − f − 2 of
 * them; with n − f no honest update is lost where all f hostile ones stand out.
 */
export const multiKrum = defineAggregator({
  settings: { ...robustSettings, distances },
  make: ({ distances: on, ...settings }) =>
    robustAggregator(
      {
        name: "multiKrum",
        weighted: false,
        fewest: (hostile) => 2 * hostile + 3,
        async combine(round) {
          const count = round.updates.entries.length - round.hostile;
          const chosen = new Set(multiKrumChoice(await gramOf(round, on), round.hostile, count));
          const factors = round.updates.entries.map((_, i) => (chosen.has(i) ? 1 : 0));
          return mixed(round, { factors, divisor: count });
        },
      },
      settings,
    ),
});
