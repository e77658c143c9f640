import { type Estimate, estimateMean, estimateOf } from "./metrics/estimate.ts";
import type { Benchmark, Metric } from "./benchmark.ts";
import type { CodeRunner } from "./code-runner.ts";
import type { AnswerRecord, Graded } from "./run-benchmark.ts";

/** A model's result on a benchmark. */
export interface BenchmarkResult {
  readonly questions: number;
  /** Metric → value with its 95% interval. A metric that no question counts for is absent. */
  readonly metrics: Readonly<Record<string, Estimate>>;
  /** Group (subject, task, category) → its questions and metrics; empty where a benchmark has no groups. */
  readonly groups: Readonly<
    Record<string, { readonly questions: number; readonly metrics: Readonly<Record<string, number>> }>
  >;
  /** Answers without a readable result; they count. */
  readonly unparsed: number;
  /** Questions that do not count, because the judge's verdict cannot be read. */
  readonly notCounted: number;
  /** Unreadable verdicts of a judge; a question may have several verdicts. */
  readonly unreadable: number;
  /** Answers that ended because no more tokens were allowed. */
  readonly cutOff: number;
  /** Questions with fewer worked examples than wanted, because the window was too short. */
  readonly fewerShots: number;
  readonly tokens: number;
  readonly seconds: number;
}

/** The settings that answers depend on, besides the question. They are kept beside the answers, so that answers of two models never mix. */
export type AnswerSettings = Readonly<Record<string, string | number | null>>;

/** One model's result on one benchmark. */
export interface StoredResult {
  /** Key in `BENCHMARKS`. */
  readonly benchmark: string;
  readonly model: string;
  readonly settings: AnswerSettings;
  readonly result: BenchmarkResult;
  /** The interpreter and the limits that held, where programs were run. */
  readonly execution?: Pick<CodeRunner, "interpreter" | "limits">;
}

export function summarise(
  benchmark: Benchmark,
  answers: readonly AnswerRecord[],
  graded: readonly Graded[],
  seed: number,
): BenchmarkResult {
  const metrics: Record<string, Estimate> = {};
  for (const metric of benchmark.metrics) {
    const counted = graded.filter((verdict) => counts(metric, verdict));
    if (counted.length === 0) continue;
    metrics[metric.name] =
      metric.ofAll === undefined
        ? estimateMean(
            counted.map(({ scores }) => scores[metric.name]!),
            { seed },
          )
        : estimateOf(counted, metric.ofAll, { seed });
  }
  const groups: Record<string, { questions: number; metrics: Record<string, number> }> = {};
  for (const group of new Set(graded.flatMap((verdict) => verdict.group ?? []))) {
    const own = graded.filter((verdict) => verdict.group === group);
    const values: Record<string, number> = {};
    for (const metric of benchmark.metrics) {
      const counted = own.filter((verdict) => counts(metric, verdict));
      if (counted.length > 0) values[metric.name] = valueOf(metric)(counted);
    }
    groups[group] = { questions: own.length, metrics: values };
  }
  const sum = (of: (answer: AnswerRecord) => number): number => answers.reduce((all, answer) => all + of(answer), 0);
  return {
    questions: graded.length,
    metrics,
    groups,
    unparsed: graded.filter((verdict) => verdict.parsed === null && counts(benchmark.metrics[0]!, verdict)).length,
    notCounted: graded.filter((verdict) => !counts(benchmark.metrics[0]!, verdict)).length,
    unreadable: graded.reduce((all, verdict) => all + (verdict.unreadable ?? 0), 0),
    cutOff: answers.filter(({ finish }) => finish.includes("length")).length,
    fewerShots: answers.filter(({ droppedShots }) => droppedShots > 0).length,
    tokens: sum(({ tokens }) => tokens),
    seconds: sum(({ seconds }) => seconds),
  };
}

/** Tells if a verdict counts for a metric. */
export function counts({ name, ofAll, counts }: Metric, verdict: Graded): boolean {
  return ofAll === undefined ? verdict.scores[name] !== undefined : (counts?.(verdict) ?? true);
}

/** The value of a metric over verdicts that count for it. */
export function valueOf({ name, ofAll }: Metric): (verdicts: readonly Graded[]) => number {
  return ofAll ?? ((verdicts) => verdicts.reduce((sum, { scores }) => sum + scores[name]!, 0) / verdicts.length);
}
