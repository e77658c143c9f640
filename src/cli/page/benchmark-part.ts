import { BENCHMARKS } from "../../evaluation/benchmark-registry.ts";
import type { Estimate } from "../../evaluation/metrics/estimate.ts";
import type { StoredResult } from "../../evaluation/results.ts";
import type { RoundResult } from "../../node/store/stored-course.ts";
import { benchmarkCharts } from "../../study/benchmark-charts.ts";
import type { StoredBenchmark, StoredRun } from "../../study/stored-run.ts";
import { estimateText, metricText } from "../tables/evaluation-tables.ts";
import type { Table } from "../tables/tables.ts";
import { formatCount } from "../views/quantities.ts";
import { chartMarkup, tableMarkup } from "./frame.ts";
import { markup, type Piece } from "./html.ts";

/** The first and the last score of each benchmark, with intervals where the folder holds them. */
export function benchmarksBody(run: StoredRun, results: readonly RoundResult[]): Piece {
  const scored = run.rounds.flatMap(({ round, benchmarks }) => benchmarks.map((score) => ({ round, ...score })));
  const known = scored.filter(({ benchmark }) => Object.hasOwn(BENCHMARKS, benchmark));
  if (known.length === 0) return undefined;
  const names = [...new Set(known.map(({ benchmark }) => benchmark))];
  const last = new Map(
    names.map((name) => [name, Math.max(...known.filter((each) => each.benchmark === name).map(({ round }) => round))]),
  );
  const shown = known.filter(({ benchmark, round }) => round === 0 || round === last.get(benchmark));
  const estimate = (score: StoredBenchmark & { readonly round: number }, metric: string): Estimate | undefined =>
    results.find(
      ({ round, client, stored }) =>
        round === score.round && client === score.client && stored.benchmark === score.benchmark,
    )?.stored.result.metrics[metric];
  const adapter = ({ round, client }: (typeof shown)[number]): string =>
    round === 0 ? "base" : `${client ?? "common"}, after round ${round}`;
  const table: Table = {
    title: "benchmarks (in brackets: 95% intervals)",
    columns: [
      ...["benchmark", "metric", "adapter"].map((header) => ({ header, right: false })),
      ...["questions", "value"].map((header) => ({ header, right: true })),
    ],
    rows: names.flatMap((name) =>
      BENCHMARKS[name]!.metrics.flatMap((metric) =>
        shown
          .filter(({ benchmark }) => benchmark === name)
          .flatMap((score) => {
            const value = score.metrics.get(metric.name);
            if (value === undefined) return [];
            const interval = estimate(score, metric.name);
            return [
              [
                { text: BENCHMARKS[name]!.title },
                { text: metric.title },
                { text: adapter(score) },
                { text: formatCount(score.questions) },
                { text: interval === undefined ? metricText(metric, value) : estimateText(metric, interval) },
              ],
            ];
          }),
      ),
    ),
  };
  const charted = shown.flatMap((score): StoredResult[] => {
    const found = results.find(
      ({ round, client, stored }) =>
        round === score.round && client === score.client && stored.benchmark === score.benchmark,
    );
    return found === undefined ? [] : [{ ...found.stored, model: adapter(score) }];
  });
  const charts = benchmarkCharts(charted, BENCHMARKS, (benchmark, value) => estimateText(benchmark.metrics[0]!, value));
  return markup`${tableMarkup(table)}${charts.map((chart) => chartMarkup(chart))}`;
}
