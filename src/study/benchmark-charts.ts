import type { Estimate } from "../evaluation/metrics/estimate.ts";
import type { Benchmark } from "../evaluation/benchmark.ts";
import type { StoredResult } from "../evaluation/results.ts";
import type { NamedChart } from "./charts.ts";
import { dotChart } from "./dot-chart.ts";

/** A chart for each benchmark: its headline metric for every model, with the interval. */
export function benchmarkCharts(
  results: readonly StoredResult[],
  benchmarks: Readonly<Record<string, Benchmark>>,
  format: (benchmark: Benchmark, estimate: Estimate) => string,
): NamedChart[] {
  return [...new Set(results.map(({ benchmark }) => benchmark))].flatMap((name) => {
    const benchmark = benchmarks[name]!;
    const metric = benchmark.metrics[0]!;
    const rows = results
      .filter((each) => each.benchmark === name)
      .flatMap(({ model, result }) => {
        const estimate = result.metrics[metric.name];
        return estimate === undefined ? [] : [{ model, questions: estimate.n, estimate }];
      });
    if (rows.length === 0) return [];
    const title = `${benchmark.title}: ${metric.title}`;
    const questions = Math.max(...rows.map((row) => row.questions));
    return [
      {
        name,
        title,
        svg: dotChart({
          title,
          subtitle: `${questions} questions; line: 95% interval`,
          percent: metric.unit === "share",
          rows: rows.map(({ model, estimate }) => ({
            label: model,
            value: estimate.value,
            text: format(benchmark, estimate),
            parts:
              estimate.low === undefined || estimate.high === undefined
                ? []
                : [
                    { name: "low", value: estimate.low },
                    { name: "high", value: estimate.high },
                  ],
          })),
          reference: undefined,
          nameParts: false,
        }),
      },
    ];
  });
}
