import path from "node:path";
import { overallScore } from "../../federation/evaluation.ts";
import { ACCURACY } from "../../settings/metric-names.ts";
import type { ExperimentConfig } from "../../settings/schema.ts";
import {
  BEST,
  CLIENT_ADAPTERS,
  FINAL_ADAPTER,
  type HeldOutResult,
  type PromptAnswer,
  type RunSummary,
  type WithheldSet,
} from "../../experiment/results/summary.ts";
import { progressBar } from "./bar.ts";
import { benchmarkLines } from "./benchmark-text.ts";
import { startText } from "../../study/doubts.ts";
import { bestText } from "./best-round-text.ts";
import { spentText } from "./privacy-text.ts";
import type { Style } from "../output.ts";
import {
  counted,
  formatBytes,
  formatCount,
  formatDuration,
  formatLoss,
  formatMetric,
  metricName,
  shareOfFloat32,
} from "./quantities.ts";
import { colouredChange } from "./round-row.ts";
import { commandLines, shellQuote, typedData } from "../shell.ts";
import { tableLines } from "../tables/table.ts";
import { clip, oneLine, printable, wrap } from "./text-width.ts";

const BAR_COLUMNS = 12;
/** A space that no line is broken at: `2m 00s` stays together. */
const NO_BREAK = "\u00A0";

/** Largest number of listed sets. Of more sets, the most and the least improved are listed. */
const MOST_SETS = 16;

export interface ReportOptions {
  readonly config: ExperimentConfig;
  /** Folder of the configuration file. */
  readonly baseDir: string;
  readonly folder: string;
  readonly columns: number;
  readonly style: Style;
  /** True if the run folder has its page. */
  readonly hasPage?: boolean;
}

/** The results of a finished run, and commands to try next. */
export function reportLines(summary: RunSummary, options: ReportOptions): string[] {
  const { folder, style, columns } = options;
  const { rounds, supervisedTokens, bytesUp, bytesDown, seconds } = summary;
  // If every client has its own adapter, the commands use the first one.
  const own = summary.clientAdapters && Object.values(summary.clientAdapters);
  const planned = summary.plannedRounds === undefined ? "" : ` of ${formatCount(summary.plannedRounds)}`;
  const trained = supervisedTokens === undefined ? "" : `${formatCount(supervisedTokens)} tokens trained on, `;
  const totals = `${counted(rounds, "round")}${planned}, ${trained}${formatBytes(bytesUp)} up and ${formatBytes(bytesDown)} down${shareOfFloat32(summary)}, ${formatDuration(seconds).replaceAll(" ", NO_BREAK)}`;
  return [
    ...heldOutTable(summary.heldOut, style, summary.withheld, hasPrivacy(options.config)),
    ...accuracyTable(summary.heldOut, style),
    ...metricsTable(summary.heldOut, style),
    ...baseLines(summary),
    ...benchmarkLines(summary.benchmarks ?? [], style),
    ...summary.answers.flatMap((answer) => answerLines(answer, columns, style)),
    "",
    ...tableLines(
      [{}, {}],
      [
        [style("dim", "run folder"), folder],
        ...(options.hasPage === true ? [[style("dim", "report"), path.join(folder, "report.html")]] : []),
        adapterRow(folder, own, style),
        ...canaryRow(summary, style),
        ...privacyRow(summary, style),
        ...bestRows(summary, options),
        ...wrap(totals, Math.max(20, columns - 12)).map((line, i) => [
          i === 0 ? style("dim", "total") : "",
          line.replaceAll(NO_BREAK, " "),
        ]),
      ],
    ),
    ...(own?.length === 0 ? [] : nextLines(options, own?.[0] ?? FINAL_ADAPTER)),
  ];
}

/** The place of the adapters. A coordinator has none where each participant keeps its own. */
function adapterRow(folder: string, own: readonly string[] | undefined, style: Style): string[] {
  if (own === undefined) return [style("dim", "adapter"), path.join(folder, FINAL_ADAPTER)];
  const place = own.length === 0 ? "with the participants, in the folder of each" : path.join(folder, CLIENT_ADAPTERS);
  return [style("dim", "adapters"), place];
}

function nextLines(options: ReportOptions, adapter: string): string[] {
  const { style, columns } = options;
  const lines = nextCommands(options, adapter).flatMap((command) => commandLines(command, columns - 2));
  return ["", style("bold", "Next"), ...lines.map((line) => `  ${line}`)];
}

function canaryRow({ canaries }: RunSummary, style: Style): string[][] {
  if (canaries === undefined) return [];
  const of = canaries.map(
    ({ client, canaries: planted, copies }) => `${planted} in ${oneLine(client)} (${copies} copies)`,
  );
  return [[style("dim", "canaries"), of.join(", ")]];
}

/** The folder and the round of the best adapter, or of the first clients' best adapters. */
function bestRows(
  { best, clientBests = {} }: RunSummary,
  { config, folder, columns, style }: ReportOptions,
): string[][] {
  const start = startText(config.model);
  const row = (label: string, text: string): string[] => [style("dim", label), clip(text, columns - 12)];
  if (best !== undefined)
    return [row("best", path.join(folder, best.adapter)), row("", bestText(best, "everyone", start))];
  const clients = Object.entries(clientBests);
  if (clients.length === 0) return [];
  const omitted = clients.length - MOST_SETS;
  return [
    row("best", path.join(folder, BEST)),
    ...clients
      .slice(0, MOST_SETS)
      .map(([client, each]) => row("", `${clip(oneLine(client), 24)}, ${bestText(each, "client", start)}`)),
    ...(omitted > 0 ? [row("", `${formatCount(omitted)} more are in metrics.json`)] : []),
  ];
}

function ratio({ before, after }: HeldOutResult): number {
  return after / before;
}

/** The base alone, where the run started from an adapter: `before` is then the adapter's. */
function baseLines({ baseScores = [] }: RunSummary): string[] {
  if (baseScores.length === 0) return [];
  const shown = baseScores.slice(0, MOST_SETS).map(({ set, loss }) => `${clip(oneLine(set), 24)} ${formatLoss(loss)}`);
  const rest = baseScores.length - shown.length;
  return [`held-out loss of the base alone: ${shown.join(", ")}${rest === 0 ? "" : ` and ${formatCount(rest)} more`}`];
}

/** A table of the held-out loss before and after, by set. The bar shows the share of the loss that is left. */
export function heldOutTable(
  results: readonly HeldOutResult[],
  style: Style,
  withheld: readonly WithheldSet[] = [],
  isPrivate = false,
): string[] {
  if (results.length === 0 && withheld.length === 0) {
    return [
      isPrivate
        ? "There is no loss before and after: clients keep theirs, and there is no common held-out set (see data.heldOut)."
        : "There is no loss before and after, because no records are held out (see data.heldOut and data.heldOutRecords).",
    ];
  }
  const byRatio = [...results].sort((a, b) => ratio(a) - ratio(b));
  const shown =
    results.length <= MOST_SETS ? results : [...byRatio.slice(0, MOST_SETS / 2), ...byRatio.slice(-MOST_SETS / 2)];
  const row = (result: HeldOutResult, name: string): string[] => {
    const { done, left } = progressBar(ratio(result), BAR_COLUMNS);
    const { records, before, after } = result;
    return [
      name,
      formatCount(records),
      formatLoss(before),
      formatLoss(after),
      colouredChange(before, after, style),
      style(ratio(result) > 1 ? "red" : "green", done) + style("dim", left),
    ];
  };
  const rows = shown.map((result) => row(result, clip(oneLine(result.set), 24)));
  for (const { set, reason } of withheld.slice(0, MOST_SETS)) {
    rows.push([clip(oneLine(set), 24), "", "", "", "", style("dim", `withheld: ${oneLine(reason)}`)]);
  }
  if (results.length > 1) rows.push(row(overall(results), style("bold", "all")));
  const right = { align: "right" } as const;
  const lines = tableLines(
    [
      { header: "held-out loss" },
      { header: "records", ...right },
      { header: "before", ...right },
      { header: "after", ...right },
      { header: "change", ...right },
      { header: "" },
    ],
    rows,
  );
  const omitted = results.length - shown.length + Math.max(0, withheld.length - MOST_SETS);
  return [
    style("bold", lines[0]!),
    ...lines.slice(1),
    ...(omitted === 0 ? [] : [style("dim", `${formatCount(omitted)} more sets are in metrics.json`)]),
  ];
}

function overall(results: readonly HeldOutResult[]): HeldOutResult {
  const sum = (value: (result: HeldOutResult) => number): number =>
    results.reduce((total, result) => total + value(result), 0);
  const count = sum((result) => result.count);
  const mean = (value: (result: HeldOutResult) => number): number =>
    sum((result) => value(result) * result.count) / count;
  return {
    set: "all",
    records: sum(({ records }) => records),
    supervisedTokens: sum(({ supervisedTokens }) => supervisedTokens),
    count,
    before: mean(({ before }) => before),
    after: mean(({ after }) => after),
    metrics: {},
  };
}

function privacyRow({ privacy }: RunSummary, style: Style): string[][] {
  return privacy === undefined ? [] : [[style("dim", "privacy"), spentText(privacy)]];
}

/** A table of the accuracy before and after, by set. The bar shows the share of right answers after training. */
function accuracyTable(results: readonly HeldOutResult[], style: Style): string[] {
  const measured = results.filter(({ metrics }) => metrics[ACCURACY] !== undefined);
  if (measured.length < 2) return [];
  const row = (name: string, records: number, before: number, after: number): string[] => {
    const { done, left } = progressBar(after, BAR_COLUMNS);
    const cells = [name, formatCount(records), formatMetric(ACCURACY, before), formatMetric(ACCURACY, after)];
    return [...cells, style("green", done) + style("dim", left)];
  };
  const shown = measured.slice(0, MOST_SETS);
  const rows = shown.map(({ set, records, metrics }) => {
    const { before, after } = metrics[ACCURACY]!;
    return row(clip(oneLine(set), 24), records, before, after);
  });
  const [before, after] = overallMetrics(measured).map((metrics) => metrics[ACCURACY]!);
  const records = measured.reduce((sum, each) => sum + each.records, 0);
  rows.push(row(style("bold", "all"), records, before!, after!));
  const right = { align: "right" } as const;
  const lines = tableLines(
    [
      { header: "held-out accuracy" },
      { header: "records", ...right },
      { header: "before", ...right },
      { header: "after", ...right },
      { header: "" },
    ],
    rows,
  );
  return ["", style("bold", lines[0]!), ...lines.slice(1)];
}

/** A table of the other metrics before and after, over all held-out records. */
function metricsTable(results: readonly HeldOutResult[], style: Style): string[] {
  const sides = overallMetrics(results);
  const names = Object.keys(sides[0]).filter((name) => name !== ACCURACY || results.length === 1);
  if (names.length === 0) return [];
  const right = { align: "right" } as const;
  const lines = tableLines(
    [{ header: "on held-out records" }, { header: "before", ...right }, { header: "after", ...right }],
    names.map((name) => [metricName(name), ...sides.map((metrics) => formatMetric(name, metrics[name]!))]),
  );
  return ["", style("bold", lines[0]!), ...lines.slice(1)];
}

/** The metrics over all sets, before and after. */
function overallMetrics(results: readonly HeldOutResult[]): [Record<string, number>, Record<string, number>] {
  const of = (side: "before" | "after"): Record<string, number> =>
    overallScore(
      results.map(({ metrics, ...result }) => ({
        ...result,
        loss: result[side],
        metrics: Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, value[side]])),
      })),
    ).metrics;
  return [of("before"), of("after")];
}

function answerLines({ prompt, before, after }: PromptAnswer, columns: number, style: Style): string[] {
  const block = (label: string, text: string): string[] =>
    wrap(printable(text).trim() || "(nothing)", Math.max(20, columns - 9)).map((line, i) =>
      `${style("dim", (i === 0 ? label : "").padEnd(8))} ${line}`.trimEnd(),
    );
  return [
    "",
    ...block("prompt", prompt).map((line) => style("bold", line)),
    ...block("before", before),
    ...block("after", after),
  ];
}

/** True where clients, or their records, have a budget. */
function hasPrivacy({ privacy }: ExperimentConfig): boolean {
  return privacy?.client !== undefined || privacy?.record !== undefined;
}

function nextCommands({ config, baseDir, folder }: ReportOptions, adapter: string): string[][] {
  const { data } = config;
  // A run folder knows its base, template, system message and lengths.
  const adapted =
    adapter === FINAL_ADAPTER ? shellQuote(folder) : `--adapter ${shellQuote(path.join(folder, adapter))}`;
  const prompt = shellQuote(config.evaluation.prompts[0] ?? "What can you help me with?");
  const commands = [[`npx openfedllm generate ${adapted}`, `--prompt ${prompt}`]];
  const [heldOut] = [data.heldOut, ...(data.clients ?? []).map((client) => client.heldOut)]
    .filter((files) => files !== undefined)
    .flat();
  // `score` has no flags for these settings, and would give other numbers than the table above.
  const plain = config.objective.name === "sft" && Object.keys(data.fields).length === 0;
  if (heldOut !== undefined && plain && data.format === undefined) {
    commands.push([`npx openfedllm score ${adapted}`, `--data ${shellQuote(typedData(baseDir, heldOut))}`]);
  }
  if (hasPrivacy(config)) {
    commands.push([`npx openfedllm privacy report ${shellQuote(folder)}`]);
  }
  return commands;
}
