import { defineAggregator } from "./aggregator.ts";
import { subset } from "./robust/cohort.ts";
import { byCoordinate } from "./robust/coordinate-rule.ts";
import { nearestMedianRule } from "./robust/coordinates.ts";
import { bulyanChoice } from "./robust/krum.ts";
import { gramOf } from "./robust/mixture.ts";
import { robustAggregator } from "./robust/robust-aggregator.ts";
import { distances, robustSettings } from "./robust/settings.ts";

/**
 * Bulyan: Krum chooses n − 2f updates, one after the other, each from what is left; then each coordinate is the mean of the n − 4f of
 * them that are nearest to their median (El Mhamdi et al. 2018, "The hidden vulnerability of distributed learning in
 * Byzantium").
 */
export const bulyan = defineAggregator({
  settings: { ...robustSettings, distances },
  make: ({ distances: on, ...settings }) =>
    robustAggregator(
      {
        name: "bulyan",
        weighted: false,
        fewest: (hostile) => 4 * hostile + 3,
        async combine(round) {
          const { updates, hostile } = round;
          const size = updates.entries.length;
          const chosen = bulyanChoice(await gramOf(round, on), hostile);
          const rule = nearestMedianRule(chosen.length - 2 * hostile);
          const { combined, weights } = await byCoordinate({ ...round, updates: subset(updates, chosen) }, rule);
          const all = updates.entries.map(() => 0);
          for (const [i, place] of chosen.entries()) all[place] = (weights[i]! * size) / chosen.length;
          return { combined, weights: all };
        },
      },
      settings,
    ),
});
