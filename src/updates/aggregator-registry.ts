import { build, type Registry } from "../registry/declared.ts";
import type { Aggregator } from "./aggregator.ts";
import { mean } from "./mean.ts";
import { median } from "./median.ts";

/** The ways to make one update of many, by their names in a configuration. */
export const AGGREGATORS = { mean, median } satisfies Registry<[], Aggregator>;

export type AggregatorName = keyof typeof AGGREGATORS;

/** Makes the aggregator of a name; `mean` without one. It reads its own settings in `settings`, the section `federation`. */
export function aggregatorOf(name: AggregatorName = "mean", settings: object = {}): Aggregator {
  return build<[], Aggregator>(AGGREGATORS[name], settings);
}
