import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { nearest } from "../../diagnostics/nearest.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { errorCode } from "../../diagnostics/error-code.ts";
import { storageReason, writeAtomically } from "../../node/store/durable-file.ts";
import type { FoundRuns } from "../../node/store/stored-runs.ts";
import { chartsOf } from "../../study/charts.ts";
import { readCourse } from "../../node/store/stored-course.ts";
import { type Comparison, compareRuns, defaultMetric } from "../../study/comparison.ts";
import { comparisonJson } from "../../study/comparison-json.ts";
import { comparisonCsv, scoresCsv } from "../../study/csv.ts";
import { doubtsOf } from "../../study/doubts.ts";
import { runFigures } from "../../study/run-figures.ts";
import { tunedRuns } from "../../study/settings.ts";
import type { StoredRun } from "../../study/stored-run.ts";
import { hasTunedRate, type Tuning } from "../../study/tuning.ts";
import { type CommandContext, DEFAULT_COLUMNS } from "../command.ts";
import { comparisonPage, type RunDoubts } from "../page/comparison-page.ts";
import { comparisonTables, formatValue } from "../tables/comparison-tables.ts";
import { metricName } from "../views/quantities.ts";
import { tablesLines, tablesMarkdown, tableWidth } from "../tables/tables-text.ts";
import { tuningNotes, tuningTable } from "../tables/tuning-table.ts";
import type { Tables } from "../tables/tables.ts";
import { oneLine, textWidth } from "../views/text-width.ts";

export interface ComparisonOptions {
  /** Settings that label the rows. Default: the settings that differ. */
  readonly by?: readonly string[];
  /** Labels the rows by the names of the folders too. */
  readonly names?: boolean;
  /** Metric of the charts and of the first table. Default: loss, if it was measured. */
  readonly metric?: string;
  /** Metric of the table of every adapter on every set; true: the metric of the charts. */
  readonly matrix?: string | true;
  /** Folder for the tables and charts as files. */
  readonly out?: string;
  /** Writes one JSON document to stdout instead of the tables. */
  readonly json?: boolean;
  /** What the settings of the runs were chosen by, in a sweep that tunes. */
  readonly tuning?: Tuning | undefined;
}

export interface ShowOptions {
  /** The name of `metric` and `matrix` in errors. */
  readonly called?: (key: "metric" | "matrix") => string;
  /** True if a blank line must separate the comparison from earlier output on a terminal. */
  readonly after?: boolean;
}

/** Writes the comparison of runs to stdout and, with `out`, as files. */
export async function showComparison(
  { runs, warnings: readWarnings }: FoundRuns,
  flags: ComparisonOptions,
  { stdout, stderr }: CommandContext,
  { called = (key) => `--${key}`, after = false }: ShowOptions = {},
): Promise<void> {
  const { metric, matrix, out } = flags;
  const comparison = compareRuns(runs, labels(flags));
  if (metric !== undefined) checkMetric(metric, called("metric"), comparison);
  if (typeof matrix === "string") checkMatrix(matrix, called("matrix"), comparison);
  const charted = metric ?? defaultMetric(comparison);
  const crossed = matrix === undefined ? [] : [matrix === true ? charted : matrix];
  const shown: Shown = { charted, crossed };
  const warnings = [...readWarnings, ...comparison.warnings].map(oneLine);
  const columns = stdout.columns();
  const { tables } = fitting(runs, flags, shown, columns ?? MOST_COLUMNS);
  if (after && stderr.columns() !== undefined) stderr.write("\n");
  for (const warning of warnings) stderr.write(`${stderr.style("yellow", "warning:")} ${warning}\n`);
  if (flags.json === true) {
    stdout.write(`${JSON.stringify(comparisonJson(comparison, { warnings, tuning: flags.tuning }))}\n`);
  } else {
    const lines = tablesLines(tables, { style: stdout.style, columns: columns ?? DEFAULT_COLUMNS });
    stdout.write(`${lines.join("\n")}\n`);
  }
  if (out === undefined) return;
  const files = filesOf(runs, flags, shown, { warnings, doubts: await doubtsOfRuns(comparison, runs, flags.tuning) });
  await writeFiles(out, files);
  stderr.write(`wrote ${[...files.keys()].join(", ")} in ${out}\n`);
}

interface Shown {
  readonly charted: string;
  /** Metrics with a matrix. */
  readonly crossed: readonly string[];
}

/** Width of tables in files, and on stdout if it is not a terminal. */
const MOST_COLUMNS = 100;

function labels({ by, names }: ComparisonOptions) {
  return { ...(by && { by }), ...(names && { names }) };
}

/** Labels the rows by the settings that differ, or by the names of the folders if the settings are too wide. */
function fitting(
  runs: readonly StoredRun[],
  flags: ComparisonOptions,
  { charted, crossed }: Shown,
  columns: number,
): { readonly comparison: Comparison; readonly tables: Tables } {
  const grid = flags.tuning && tuningTable(flags.tuning);
  const grids = grid === undefined ? [] : [grid];
  const gridNotes = grid === undefined ? [] : tuningNotes(flags.tuning!);
  const made = (options: ComparisonOptions, notes: readonly string[] = []) => {
    const comparison = chartedFirst(compareRuns(runs, labels(options)), charted);
    return {
      comparison,
      tables: comparisonTables(comparison, { matrix: crossed, more: grids, notes: [...notes, ...gridNotes] }),
    };
  };
  const all = made(flags);
  // The width of a matrix depends on the number of sets, not on the labels; that of a grid on its values.
  const plain = all.tables.tables.slice(0, all.tables.tables.length - crossed.length - grids.length);
  const widest = Math.max(...plain.map(tableWidth));
  if (flags.names === true || widest <= columns || settingsWidth(all.comparison) <= columns / 3) return all;
  const more = flags.by === undefined ? "--by KEY adds the setting KEY" : "only the settings of --by are shown";
  const differing = all.comparison.columns.filter((_, i) => i >= (flags.by?.length ?? 0)).join(", ");
  return made({ ...flags, names: true }, [
    `The rows have the names of their folders, because the settings that differ do not fit in ${columns} columns (${differing}); ${more}.`,
  ]);
}

/** Columns on a terminal of the settings that label the rows. */
function settingsWidth({ columns, groups }: Comparison): number {
  const width = (i: number): number => Math.max(...groups.map(({ cells }) => textWidth(cells[i]!)));
  return columns.reduce((sum, header, i) => sum + Math.max(textWidth(header), width(i)) + 2, 0);
}

function chartedFirst(comparison: Comparison, charted: string): Comparison {
  const { metrics } = comparison;
  return { ...comparison, metrics: [charted, ...metrics.filter((each) => each !== charted)].slice(0, metrics.length) };
}

function checkMatrix(matrix: string, called: string, comparison: Comparison): void {
  if (comparison.metrics.includes(matrix) || !existsSync(matrix)) {
    checkMetric(matrix, called, comparison);
    return;
  }
  throw new UserError("config", `${called} ${matrix}: that is a folder, expected a metric or nothing`, {
    hint: "Put --matrix last, or name the metric: --matrix=loss.",
  });
}

function checkMetric(metric: string, called: string, { metrics }: Comparison): void {
  if (metrics.includes(metric)) return;
  const near = nearest(metric, metrics);
  throw new UserError("config", `${called} ${metric}: no run measured it`, {
    hint:
      near !== undefined
        ? `Did you mean '${near}'?`
        : metrics.length === 0
          ? "These runs have no held-out scores: see data.heldOut and data.heldOutRecords."
          : `Measured: ${metrics.join(", ")}.`,
  });
}

function filesOf(
  runs: readonly StoredRun[],
  flags: ComparisonOptions,
  shown: Shown,
  { warnings, doubts }: { readonly warnings: readonly string[]; readonly doubts: readonly RunDoubts[] },
): Map<string, string> {
  const { comparison, tables } = fitting(runs, flags, shown, MOST_COLUMNS);
  // CSV files have no greatest width.
  const whole = fitting(runs, flags, shown, Infinity).comparison;
  const metric = shown.charted;
  const format = (value: number): string => formatValue(metric, value);
  const percent = format(1).endsWith("%");
  const charts = chartsOf(comparison, { metric, name: metricName(metric), percent, format }).map((chart) => ({
    ...chart,
    file: `${chart.name}.svg`,
  }));
  return new Map([
    ["comparison.md", tablesMarkdown(tables, { heading: "Comparison", warnings, charts })],
    ["comparison.html", comparisonPage({ tables, warnings, charts, doubts })],
    ["comparison.csv", comparisonCsv(whole)],
    ["scores.csv", scoresCsv(whole)],
    ...charts.map(({ file, svg }) => [file, svg] as const),
  ]);
}

/** The reasons to doubt each run. The seeds of a row are one measurement. */
async function doubtsOfRuns(
  { groups }: Comparison,
  runs: readonly StoredRun[],
  tuning: Tuning | undefined,
): Promise<RunDoubts[]> {
  const tuned = tunedRuns(runs);
  for (const run of runs) if (tuning !== undefined && hasTunedRate(tuning, run)) tuned.add(run);
  const all: RunDoubts[] = [];
  for (const { runs: members } of groups) {
    for (const run of members) {
      const course = await readCourse(run.folder);
      const doubts = doubtsOf(runFigures(run, course, { seeds: members.length, tuned: tuned.has(run) }));
      all.push({ name: run.name, doubts });
    }
  }
  return all;
}

async function writeFiles(folder: string, files: ReadonlyMap<string, string>): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    for (const [name, content] of files) await writeAtomically(path.join(folder, name), content);
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    throw new UserError("storage", `the comparison cannot be written to ${folder}: ${storageReason(error)}`, {
      hint: "Choose another folder with --out.",
      cause: error,
    });
  }
}
