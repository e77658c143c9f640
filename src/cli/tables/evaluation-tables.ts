import type { Estimate } from "../../evaluation/metrics/estimate.ts";
import type { Benchmark, Metric } from "../../evaluation/benchmark.ts";
import { CODE_LIMITS, type CodeLimit } from "../../evaluation/code-runner.ts";
import { BENCHMARKS } from "../../evaluation/benchmark-registry.ts";
import type { PairedResult } from "../../evaluation/paired.ts";
import type { BenchmarkResult, StoredResult } from "../../evaluation/results.ts";
import { counted, formatCount } from "../views/quantities.ts";
import type { Cell, Table, Tables } from "./tables.ts";

/** Writes the value of a metric for people. */
export function metricText({ unit }: Metric, value: number): string {
  return unit === "share" ? `${(100 * value).toFixed(1)}%` : unit === "percent" ? value.toFixed(1) : value.toFixed(2);
}

/** `41.2% (35.0–47.1)` */
export function estimateText(metric: Metric, { value, low, high }: Estimate): string {
  if (low === undefined || high === undefined) return metricText(metric, value);
  const bare = (bound: number): string => metricText(metric, bound).replace("%", "");
  return `${metricText(metric, value)} (${bare(low)}–${bare(high)})`;
}

/** Results with their intervals, a row for each metric and a column for each model; then the results by group. */
export function evaluationTables(
  results: readonly StoredResult[],
  { groups, pairs = [] }: { readonly groups: boolean; readonly pairs?: readonly PairedResult[] },
): Tables {
  const models = [...new Set(results.map(({ model }) => model))].sort(baseFirst);
  const names = [...new Set(results.map(({ benchmark }) => benchmark))];
  const found = (benchmark: string, model: string): BenchmarkResult | undefined =>
    results.find((each) => each.benchmark === benchmark && each.model === model)?.result;
  const columns = [
    { header: "benchmark", right: false },
    { header: "metric", right: false },
    { header: "questions", right: true },
    ...models.map((header) => ({ header, right: true })),
  ];
  const rows = names.flatMap((name) => {
    const benchmark = BENCHMARKS[name]!;
    return benchmark.metrics.flatMap((metric, i): Cell[][] => {
      const estimates = models.map((model) => found(name, model)?.metrics[metric.name]);
      // The headline metric is shown even if no question counted.
      if (i > 0 && estimates.every((estimate) => estimate === undefined)) return [];
      const values = estimates.flatMap((estimate) => estimate?.value ?? []);
      // If all are equal, none is the best.
      const best = new Set(values).size > 1 ? Math.max(...values) : undefined;
      const counts = [...new Set(estimates.flatMap((estimate) => estimate?.n ?? []))];
      return [
        [
          { text: i === 0 ? benchmark.title : "" },
          { text: metric.title },
          { text: counts.map(formatCount).join(" / ") },
          ...estimates.map((estimate) => cellOf(metric, estimate, best !== undefined && estimate?.value === best)),
        ],
      ];
    });
  });
  const tables: Table[] = [{ title: "benchmarks (95% intervals)", columns, rows }];
  if (pairs.length > 0) tables.push(differenceTable(pairs));
  if (groups) {
    for (const name of names) {
      const table = groupTable(BENCHMARKS[name]!, models, (model) => found(name, model));
      if (table !== undefined) tables.push(table);
    }
  }
  return { tables, notes: [...notesOf(results), ...executionNotes(results)] };
}

function cellOf(metric: Metric, estimate: Estimate | undefined, best: boolean): Cell {
  return estimate === undefined ? { text: "–" } : { text: estimateText(metric, estimate), best };
}

/** A row for each benchmark, a column for each model that is compared. */
function differenceTable(pairs: readonly PairedResult[]): Table {
  const models = [...new Set(pairs.map(({ model }) => model))];
  const names = [...new Set(pairs.map(({ benchmark }) => benchmark))];
  const from = [...new Set(pairs.map((pair) => pair.from))].join(", ");
  return {
    title: `difference from ${from} on the same questions (95% paired bootstrap intervals)`,
    columns: [
      { header: "benchmark", right: false },
      { header: "metric", right: false },
      { header: "questions", right: true },
      ...models.map((header) => ({ header, right: true })),
    ],
    rows: names.map((name) => {
      const own = pairs.filter(({ benchmark }) => benchmark === name);
      const { title, metrics } = BENCHMARKS[name]!;
      const counts = [...new Set(own.map(({ difference }) => difference.n))];
      return [
        { text: title },
        { text: metrics[0]!.title },
        { text: counts.map(formatCount).join(" / ") },
        ...models.map((model): Cell => {
          const pair = own.find((each) => each.model === model);
          return { text: pair === undefined ? "–" : differenceText(metrics[0]!, pair.difference) };
        }),
      ];
    }),
  };
}

/** `+4.0% (-1.0 to +9.0)`: points where the metric is a share. */
function differenceText(metric: Metric, { value, low, high }: Estimate): string {
  const signed = (bound: number): string => `${bound < 0 ? "" : "+"}${metricText(metric, bound)}`;
  if (low === undefined || high === undefined) return signed(value);
  return `${signed(value)} (${signed(low).replace("%", "")} to ${signed(high).replace("%", "")})`;
}

function groupTable(
  benchmark: Benchmark,
  models: readonly string[],
  resultOf: (model: string) => BenchmarkResult | undefined,
): Table | undefined {
  const metric = benchmark.metrics[0]!;
  const results = models.map(resultOf);
  const names = [...new Set(results.flatMap((result) => Object.keys(result?.groups ?? {})))].sort();
  if (names.length < 2) return undefined;
  return {
    title: `${benchmark.title}: ${metric.title} by group`,
    columns: [
      { header: "group", right: false },
      { header: "questions", right: true },
      ...models.map((header) => ({ header, right: true })),
    ],
    rows: names.map((name) => [
      { text: name },
      { text: formatCount(Math.max(...results.map((result) => result?.groups[name]?.questions ?? 0))) },
      ...results.map((result) => {
        const value = result?.groups[name]?.metrics[metric.name];
        return { text: value === undefined ? "–" : metricText(metric, value) };
      }),
    ]),
  };
}

/** Notes that a reader needs to understand a number. */
function notesOf(results: readonly StoredResult[]): string[] {
  return results.flatMap(({ benchmark, model, result }) => {
    const { questions, unparsed, notCounted, cutOff, fewerShots } = result;
    const said = [
      unparsed > 0 ? `${unparsed} answers could not be read (they count as wrong)` : "",
      notCounted > 0 ? `${notCounted} questions without a valid verdict are left out` : "",
      cutOff > 0 ? `${cutOff} answers reached the length limit` : "",
      fewerShots > 0
        ? `${fewerShots} questions had fewer worked examples, because the window is too small for all`
        : "",
    ].filter(Boolean);
    if (said.length === 0) return [];
    return [`${BENCHMARKS[benchmark]!.title}, ${model}, of ${counted(questions, "question")}: ${said.join("; ")}.`];
  });
}

/** The interpreter that ran programs, and its limits. Equal notes are given once. */
function executionNotes(results: readonly StoredResult[]): string[] {
  const notes = results.flatMap(({ benchmark, execution }) => {
    if (execution === undefined) return [];
    const limits = Object.entries(execution.limits).map(([name, { held, why }]) => ({
      held,
      text: `${CODE_LIMITS[name as CodeLimit]}${why === undefined ? "" : ` (${why})`}`,
    }));
    const list = (held: boolean): string =>
      limits
        .filter((limit) => limit.held === held)
        .map(({ text }) => text)
        .join("; ") || "none";
    return [
      `${BENCHMARKS[benchmark]!.title} ran programs in ${execution.interpreter}. Limits that held in a test: ${list(true)}. Limits that did not: ${list(false)}.`,
    ];
  });
  return [...new Set(notes)];
}

/** The base comes first: the other models are compared with it. */
function baseFirst(a: string, b: string): number {
  return Number(b === "base") - Number(a === "base") || (a < b ? -1 : 1);
}
