import { build, type Registry } from "../registry/declared.ts";
import type { Aggregator } from "./aggregator.ts";
import { bulyan } from "./bulyan.ts";
import { centredClipping } from "./centred-clipping.ts";
import { flexlora } from "./flexlora.ts";
import { fltrust } from "./fltrust.ts";
import { foolsgold } from "./foolsgold.ts";
import { geometricMedian } from "./geometric-median.ts";
import { krum } from "./krum.ts";
import { mean } from "./mean.ts";
import { median } from "./median.ts";
import { multiKrum } from "./multi-krum.ts";
import { normBound } from "./norm-bound.ts";
import { trimmedMean } from "./trimmed-mean.ts";

/** The ways to make one update of many, by their names in a configuration. */
export const AGGREGATORS = {
  mean,
  median,
  flexlora,
  trimmedMean,
  normBound,
  krum,
  multiKrum,
  bulyan,
  geometricMedian,
  centredClipping,
  fltrust,
  foolsgold,
} satisfies Registry<[], Aggregator>;

export type AggregatorName = keyof typeof AGGREGATORS;

/** Makes the aggregator of a name; `mean` without one. It reads its own settings in `settings`, the section `federation`. */
export function aggregatorOf(name: AggregatorName = "mean", settings: object = {}): Aggregator {
  return build<[], Aggregator>(AGGREGATORS[name], settings);
}
