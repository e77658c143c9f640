import { BENCHMARKS } from "../../evaluation/benchmark-registry.ts";
import type { BenchmarkChange } from "../../experiment/results/summary.ts";
import type { EventOf } from "../../federation/events.ts";
import { metricText } from "../tables/evaluation-tables.ts";
import type { Style } from "../output.ts";
import { counted, formatCount, roundText } from "./quantities.ts";
import { tableLines } from "../tables/table.ts";
import { clip, oneLine } from "./text-width.ts";

/** `GSM8K after round 3: exact match 4.0%, last number 8.0% (50 questions)` */
export function benchmarkText(event: EventOf<"benchmark-end">): string {
  const { benchmark, client, round, questions, metrics } = event;
  const { title, metrics: known } = BENCHMARKS[benchmark]!;
  const values = known.flatMap((metric) => {
    const value = metrics[metric.name];
    return value === undefined ? [] : [`${metric.title} ${metricText(metric, value)}`];
  });
  const whose = client === undefined ? "" : `, ${oneLine(client)}`;
  return `${title} ${roundText(round)}${whose}: ${values.join(", ") || "no question counted"} (${counted(questions, "question")})`;
}

/** A table of each benchmark's metrics before and after a run. */
export function benchmarkLines(changes: readonly BenchmarkChange[], style: Style): string[] {
  if (changes.length === 0) return [];
  const clients = changes.some(({ client }) => client !== undefined);
  const rows = changes.flatMap(({ benchmark, client, questions, metrics }) =>
    BENCHMARKS[benchmark]!.metrics.flatMap((metric, i) => {
      const found = metrics[metric.name];
      if (found === undefined) return [];
      return [
        [
          i === 0 ? BENCHMARKS[benchmark]!.title : "",
          ...(clients ? [i === 0 ? clip(oneLine(client ?? ""), 24) : ""] : []),
          metric.title,
          i === 0 ? formatCount(questions) : "",
          Number.isFinite(found.before) ? metricText(metric, found.before) : "–",
          metricText(metric, found.after),
        ],
      ];
    }),
  );
  const [header, ...lines] = tableLines(
    [
      { header: "benchmark" },
      ...(clients ? [{ header: "adapter of" }] : []),
      { header: "metric" },
      { header: "questions", align: "right" },
      { header: "base", align: "right" },
      { header: "after", align: "right" },
    ],
    rows,
  );
  return ["", style("dim", header!), ...lines];
}
