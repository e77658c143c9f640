import type { Benchmark, Metric } from "./benchmark.ts";
import { pairedDifference } from "./metrics/bootstrap.ts";
import { type Estimate, FEWEST_FOR_BOOTSTRAP } from "./metrics/estimate.ts";
import { counts, valueOf } from "./results.ts";
import type { Graded } from "./run-benchmark.ts";

/** The headline metric of a model less that of another, on the questions that count for both. */
export interface PairedResult {
  /** Key in `BENCHMARKS`. */
  readonly benchmark: string;
  readonly metric: string;
  readonly model: string;
  /** The model that it is compared with. */
  readonly from: string;
  readonly difference: Estimate;
  /** Share of resamples in which the model is ahead, a tie as ½; absent with the interval. */
  readonly ahead?: number;
}

/** A model's verdicts. */
export interface ModelVerdicts {
  readonly model: string;
  readonly verdicts: readonly Graded[];
}

/**
 * Compares models on a benchmark with the base, or the first where there is none, question by question: a question that is
 * hard for both cancels, so the interval is narrower than those of the two suggest. Models without a common question are left out.
 */
export function pairModels(
  { name, benchmark }: { readonly name: string; readonly benchmark: Benchmark },
  models: readonly ModelVerdicts[],
  { seed }: { readonly seed: number },
): PairedResult[] {
  const metric = benchmark.metrics[0]!;
  const reference = models.find(({ model }) => model === "base") ?? models[0];
  return models.flatMap(({ model, verdicts }) => {
    if (reference === undefined || model === reference.model) return [];
    const theirs = new Map(reference.verdicts.map((verdict) => [verdict.question, verdict]));
    const pairs = verdicts.flatMap((mine) => {
      const other = theirs.get(mine.question);
      return other !== undefined && counts(metric, mine) && counts(metric, other) ? [[mine, other] as const] : [];
    });
    if (pairs.length === 0) return [];
    return [
      { benchmark: name, metric: metric.name, model, from: reference.model, ...differenceOf(metric, pairs, seed) },
    ];
  });
}

function differenceOf(
  metric: Metric,
  pairs: readonly (readonly [Graded, Graded])[],
  seed: number,
): Pick<PairedResult, "difference" | "ahead"> {
  const [mine, theirs] = [pairs.map(([first]) => first), pairs.map(([, second]) => second)];
  const value = valueOf(metric);
  const n = pairs.length;
  if (n < FEWEST_FOR_BOOTSTRAP) return { difference: { value: value(mine) - value(theirs), n } };
  const { ahead, ...interval } = pairedDifference(mine, theirs, value, { seed });
  // Equal in every question: the bootstrap's interval has no width, which is not certainty.
  if (interval.low === interval.high) return { difference: { value: interval.value, n } };
  return { difference: { ...interval, interval: "bootstrap" }, ahead };
}
