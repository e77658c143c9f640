import { mkdir } from "node:fs/promises";
import path from "node:path";
import { nearest } from "../diagnostics/nearest.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { errorCode, storageReason, writeAtomically } from "../node/durable-file.ts";
import { type FoundRuns, readStoredRuns } from "../node/stored-runs.ts";
import { chartsOf } from "../study/charts.ts";
import { type Comparison, compareRuns } from "../study/comparison.ts";
import { comparisonCsv, scoresCsv } from "../study/csv.ts";
import { LOSS } from "../study/measure.ts";
import { type CommandContext, DEFAULT_COLUMNS } from "./command-context.ts";
import { type ComparisonTables, comparisonTables, formatValue } from "./comparison-tables.ts";
import { comparisonLines, comparisonMarkdown } from "./comparison-text.ts";
import { oneLine } from "./text-width.ts";

export interface CompareFlags {
  readonly by?: readonly string[];
  readonly names?: boolean;
  readonly metric?: string;
  /** `true` for the flag without a metric: the one that is charted. */
  readonly matrix?: string | true;
  readonly out?: string;
}

export async function compareCommand(
  folders: readonly string[],
  flags: CompareFlags,
  context: CommandContext,
): Promise<void> {
  await showComparison(readStoredRuns(folders), flags, context);
}

/** Writes the comparison of runs to stdout and, with `out`, as files. */
export async function showComparison(
  { runs, warnings: readWarnings }: FoundRuns,
  { by, names, metric, matrix, out }: CompareFlags,
  { stdout, stderr }: CommandContext,
): Promise<void> {
  const comparison = compareRuns(runs, { ...(by && { by }), ...(names && { names }) });
  checkMetric(metric, "--metric", comparison);
  const charted = metric ?? comparison.metrics[0] ?? LOSS;
  const crossed = matrix === undefined ? [] : [matrix === true ? charted : matrix];
  for (const each of crossed) checkMetric(each, "--matrix", comparison);
  const tables = comparisonTables(comparison, { matrix: crossed });
  const warnings = [...readWarnings, ...comparison.warnings].map(oneLine);
  for (const warning of warnings) stderr.write(`${stderr.style("yellow", "warning:")} ${warning}\n`);
  const columns = stdout.columns() ?? DEFAULT_COLUMNS;
  stdout.write(`${comparisonLines(tables, { style: stdout.style, columns }).join("\n")}\n`);
  if (out === undefined) return;
  const files = filesOf(comparison, { tables, warnings, metric: charted });
  await writeFiles(out, files);
  stderr.write(`wrote ${[...files.keys()].join(", ")} in ${out}\n`);
}

function checkMetric(metric: string | undefined, flag: string, { metrics }: Comparison): void {
  if (metric === undefined || metrics.includes(metric)) return;
  const near = nearest(metric, metrics);
  throw new UserError("config", `${flag} ${metric}: no run measured it`, {
    hint:
      near !== undefined
        ? `Did you mean '${near}'?`
        : metrics.length === 0
          ? "These runs have no held-out scores: see data.heldOut and data.heldOutRecords."
          : `What there is: ${metrics.join(", ")}.`,
  });
}

function filesOf(
  comparison: Comparison,
  { tables, warnings, metric }: { tables: ComparisonTables; warnings: readonly string[]; metric: string },
): Map<string, string> {
  const charts = chartsOf(comparison, { metric, format: formatValue }).map((chart) => ({
    ...chart,
    file: `${chart.name}.svg`,
  }));
  return new Map([
    ["comparison.md", comparisonMarkdown(tables, { warnings, charts })],
    ["comparison.csv", comparisonCsv(comparison)],
    ["scores.csv", scoresCsv(comparison)],
    ...charts.map(({ file, svg }) => [file, svg] as const),
  ]);
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
