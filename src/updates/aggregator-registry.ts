import { build, type Registry } from "../registry/declared.ts";
import type { Aggregator } from "./aggregator.ts";
import { mean } from "./mean.ts";
import { median } from "./median.ts";

/** The ways to make one update of many, by the name a person writes. */
export const AGGREGATORS = { mean, median } satisfies Registry<[], Aggregator>;

export type AggregatorName = keyof typeof AGGREGATORS;

/** The aggregator of a name, `mean` without one. It takes from `settings`, those of `federation`, the ones that it reads. */
export function aggregatorOf(name: AggregatorName = "mean", settings: object = {}): Aggregator {
  return build<[], Aggregator>(AGGREGATORS[name], settings);
}
