import { BENCHMARKS } from "../evaluation/benchmark-registry.ts";
import { itemKind } from "../data/items/registry.ts";
import { objectiveOf } from "../train/objective-registry.ts";
import type { ExperimentConfig } from "./schema.ts";

export const LOSS = "loss";
export const ACCURACY = "accuracy";
/** Means of an objective's rewards; a preference objective may raise or lower both. */
export const REWARDS: readonly string[] = ["chosenReward", "rejectedReward"];
export const MARGIN = "margin";

const PAIRED = [ACCURACY, MARGIN, ...REWARDS];
const CLASSIFIED = [ACCURACY, "macroF1", "weightedF1"];
const LOWER: ReadonlySet<string> = new Set([LOSS, "perplexity"]);

/** The metrics that a run can measure on held-out records. */
export function measurableMetrics({ objective, evaluation }: ExperimentConfig): string[] {
  const paired = itemKind(objectiveOf(objective.name, objective).items).isPreference ? PAIRED : [];
  return [...new Set([LOSS, ...paired, ...(evaluation.labels === undefined ? [] : CLASSIFIED)])];
}

/** The metrics of a run's benchmarks, such as `gsm8k/exactMatch`. */
export function benchmarkMetrics({ evaluation }: ExperimentConfig): string[] {
  return evaluation.benchmarks.flatMap(({ name }) =>
    BENCHMARKS[name]!.metrics.map((metric) => `${name}/${metric.name}`),
  );
}

/** The better direction of a metric; undefined if there is none. A benchmark's name and slash (`gsm8k/accuracy`) do not count. */
export function betterWay(metric: string): "lower" | "higher" | undefined {
  const kind = metric.slice(metric.lastIndexOf("/") + 1);
  if (REWARDS.includes(kind)) return undefined;
  return LOWER.has(kind) ? "lower" : "higher";
}
