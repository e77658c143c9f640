import { defineAggregator } from "./aggregator.ts";
import { byCoordinate } from "./robust/coordinate-rule.ts";
import { trimmedMeanRule } from "./robust/coordinates.ts";
import { robustAggregator } from "./robust/robust-aggregator.ts";
import { robustSettings } from "./robust/settings.ts";

/**
 * The mean of each coordinate without its f lowest and its f highest values (Yin et al. 2018, "Byzantine-robust distributed
 * learning: towards optimal statistical rates", alg. 1, option II).
 */
export const trimmedMean = defineAggregator({
  settings: robustSettings,
  make: (settings) =>
    robustAggregator(
      {
        name: "trimmedMean",
        weighted: false,
        fewest: (hostile) => 2 * hostile + 1,
        combine: (round) => byCoordinate(round, trimmedMeanRule(round.hostile)),
      },
      settings,
    ),
});
