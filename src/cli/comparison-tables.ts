import { COMMON_SET } from "../experiment/client-records.ts";
import { type Comparison, type Group, unfinishedText } from "../study/comparison.ts";
import { costOf, type Figure, figure, type Stage, type View, VIEWS } from "../study/figures.ts";
import { matrixOf } from "../study/matrix.ts";
import { lessIsBetter, LOSS } from "../study/measure.ts";
import { formatBytes, formatChange, formatDuration, formatLoss } from "./quantities.ts";
import { oneLine } from "./text-width.ts";

export interface Cell {
  readonly text: string;
  /** The lowest and the highest of what the text is the mean of. */
  readonly range?: string;
  /** The best of its column. */
  readonly best?: boolean;
}

/** A table, to be written for a terminal or as Markdown. */
export interface ComparisonTable {
  readonly title: string;
  readonly columns: readonly { readonly header: string; readonly right: boolean }[];
  readonly rows: readonly (readonly Cell[])[];
}

export interface ComparisonTables {
  readonly tables: readonly ComparisonTable[];
  /** What the tables' words mean, as far as they occur. */
  readonly notes: readonly string[];
}

export interface TableOptions {
  /** Metrics to show every adapter's value of, on every set. */
  readonly matrix: readonly string[];
}

const VIEW_HEADERS: Readonly<Record<View, string>> = {
  common: "common set",
  own: "own sets, mean",
  worst: "worst client",
};

export function comparisonTables(comparison: Comparison, options: TableOptions): ComparisonTables {
  const tables = [
    ...comparison.metrics.map((metric) => metricTable(comparison, metric)),
    costTable(comparison),
    ...options.matrix.map((metric) => matrixTable(comparison, metric)),
  ];
  return { tables, notes: notesOf(comparison, options) };
}

function metricTitle(metric: string): string {
  const better = lessIsBetter(metric) ? "lower is better" : "higher is better";
  return metric === LOSS ? `held-out loss (nats, ${better})` : `held-out ${metric} (${better})`;
}

/** Loss in nats and rates alike: three decimals. */
export function formatValue(value: number): string {
  return formatLoss(value);
}

interface Line {
  readonly group: Group;
  readonly stage: Stage;
}

function linesOf({ bases, groups }: Comparison): Line[] {
  return [
    ...bases.map((group): Line => ({ group, stage: "base" })),
    ...groups.map((group): Line => ({ group, stage: "final" })),
  ];
}

function metricTable(comparison: Comparison, metric: string): ComparisonTable {
  const lines = linesOf(comparison);
  const views = VIEWS.filter((view) =>
    lines.some(({ group, stage }) => figure(group, metric, view, stage) !== undefined),
  );
  const withChange = (view: View): boolean => metric === LOSS && view !== "worst" && comparison.bases.length > 0;
  return {
    title: metricTitle(metric),
    columns: [
      ...labelColumns(comparison),
      ...views.flatMap((view) => [
        { header: VIEW_HEADERS[view], right: false },
        ...(withChange(view) ? [{ header: "change", right: true }] : []),
      ]),
    ],
    rows: lines.map(({ group, stage }) => [
      ...labelCells(group, stage),
      ...views.flatMap((view) => {
        const found = figure(group, metric, view, stage);
        const change = found?.change;
        return [
          figureCell(found, stage),
          ...(withChange(view) ? [{ text: change === undefined ? "" : formatChange(1, 1 + change) }] : []),
        ];
      }),
    ]),
  };
}

function costTable(comparison: Comparison): ComparisonTable {
  return {
    title: "cost (mean over runs)",
    columns: [...labelColumns(comparison), ...["training", "up", "down"].map((header) => ({ header, right: true }))],
    rows: comparison.groups.map((group) => {
      const { seconds, bytesUp, bytesDown } = costOf(group);
      return [
        ...labelCells(group, "final"),
        { text: formatDuration(seconds.mean) },
        { text: formatBytes(bytesUp.mean) },
        { text: formatBytes(bytesDown.mean) },
      ];
    }),
  };
}

function matrixTable(comparison: Comparison, metric: string): ComparisonTable {
  const { sets, rows, best } = matrixOf(comparison, metric);
  return {
    title: `${metricTitle(metric)}: every adapter on every set`,
    columns: [{ header: "adapter", right: false }, ...sets.map((set) => ({ header: oneLine(set), right: true }))],
    rows: rows.map(({ adapter, values }, row) => [
      { text: oneLine(adapter) },
      ...values.map((value, column) => ({
        text: value === undefined ? "" : formatValue(value),
        best: best[column] === row && rows.filter(({ base }) => !base).length > 1,
      })),
    ]),
  };
}

function labelColumns({ columns }: Comparison) {
  return [...columns.map((header) => ({ header, right: false })), { header: "runs", right: true }];
}

function labelCells({ cells, runs, unfinished }: Group, stage: Stage): Cell[] {
  const [first = "", ...rest] = cells.map(oneLine);
  const marked = unfinished === undefined ? first : `${first} (${unfinishedText(unfinished)})`;
  return [marked, ...rest, stage === "base" ? "" : String(runs.length)].map((text) => ({ text }));
}

function figureCell(found: Figure | undefined, stage: Stage): Cell {
  if (found === undefined) return { text: "–" };
  const { mean, sd, min, max, clients } = found;
  const deviation = sd === undefined || (stage === "base" && max === min) ? "" : ` ± ${formatValue(sd)}`;
  const names = clients.length === 0 ? "" : ` ${clients.map(oneLine).join(", ")}`;
  return {
    text: `${formatValue(mean)}${deviation}${names}`,
    ...(max > min && { range: `${formatValue(min)}–${formatValue(max)}` }),
  };
}

function notesOf(comparison: Comparison, { matrix }: TableOptions): string[] {
  const { groups, metrics, sets } = comparison;
  const several = groups.some(({ runs }) => runs.length > 1);
  return [
    ...(metrics.length === 0 ? ["No held-out scores: see data.heldOut and data.heldOutRecords."] : []),
    ...(several ? ["±: sample standard deviation over seeds; beside it, lowest–highest."] : []),
    ...(sets.some((set) => set !== COMMON_SET)
      ? ["own sets, mean: over the clients' own held-out sets, each client weighing the same."]
      : []),
    ...(metrics.includes(LOSS) ? ["change: against the base (no adapter), run by run."] : []),
    ...groups
      .filter(({ personal }) => personal)
      .map(
        ({ label }) =>
          `${oneLine(label)}: each client's own adapter; common set: their mean, and lowest–highest of them.`,
      ),
    ...(matrix.length > 0 ? ["every adapter on every set: means over seeds; the best of each set is marked."] : []),
  ];
}
