import type { FileReader } from "../data/file-reader.ts";
import type { TextGenerator } from "../decode/text-generator.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { benchmarkData } from "./benchmark-data.ts";
import type { AnswerMode, Benchmark, GradingTools, Question } from "./benchmark.ts";
import { BENCHMARKS } from "./benchmark-registry.ts";
import { evaluatedModel } from "./evaluated-model.ts";
import { type AnswerSettings, type BenchmarkResult, type StoredResult, summarise } from "./results.ts";
import {
  askQuestions,
  type AnswerRecord,
  type AnswerStore,
  gradeAnswers,
  type Graded,
  type Numbered,
  sampleQuestions,
} from "./run-benchmark.ts";

/** A benchmark with the drawn questions. */
export interface BenchmarkTask {
  /** Key in `BENCHMARKS`. */
  readonly name: string;
  readonly benchmark: Benchmark;
  readonly mode: AnswerMode;
  readonly shots: number;
  /** Answers to each question. */
  readonly samples: number;
  readonly questions: readonly Numbered[];
}

export interface TaskOptions {
  /** Local folder or file; undefined: the Hub. */
  readonly data?: string | undefined;
  /** Largest number of questions, the same ones for a seed. */
  readonly limit?: number | undefined;
  readonly mode?: AnswerMode | undefined;
  readonly shots?: number | undefined;
  readonly samples?: number | undefined;
  /** Replaces the benchmark's own; only checked here. */
  readonly temperature?: number | undefined;
  readonly seed: number;
  readonly fidelity: "paper" | "original";
}

/** Loads a benchmark. @throws UserError of kind `config` or `data` where it cannot be run in this way. */
export async function loadBenchmarkTask(name: string, files: FileReader, options: TaskOptions): Promise<BenchmarkTask> {
  const benchmark = BENCHMARKS[name]!;
  const { mode = benchmark.modes[0]!, data, limit, seed, shots, temperature, fidelity } = options;
  if (!benchmark.modes.includes(mode)) {
    throw new UserError("config", `${name} cannot be answered by ${mode}, only by ${benchmark.modes.join(" or ")}`, {
      hint: "Leave out --answer-by (evaluation.benchmarks[].answerBy), or run this benchmark by itself.",
    });
  }
  const all = await benchmark.load(benchmarkData(files, data), { mode, shots, fidelity });
  if (all.length === 0) throw new UserError("data", `${name}: no questions in ${data ?? "its dataset"}`);
  const samples = mode === "likelihood" ? 1 : (options.samples ?? benchmark.samples ?? 1);
  if (samples > 1) refuseGreedySamples(name, benchmark, all, { samples, temperature });
  return {
    name,
    benchmark,
    mode,
    shots: shots ?? benchmark.shots,
    samples,
    questions: sampleQuestions(withUniqueIds(all), limit, { seed, benchmark: name }),
  };
}

/** Refuses samples that would all be the same answer. */
function refuseGreedySamples(
  name: string,
  { generation }: Benchmark,
  questions: readonly Question[],
  { samples, temperature }: { readonly samples: number; readonly temperature: number | undefined },
): void {
  if (questions.some((each) => (temperature ?? each.generation?.temperature ?? generation.temperature) > 0)) return;
  throw new UserError(
    "config",
    `${name}: ${samples} samples of each answer would be the same, for the temperature is 0`,
    {
      hint: "Give a --temperature above 0, such as 0.8, or --samples 1.",
    },
  );
}

/** Renames the second question with an id to `id#2`, and so on: answers are kept by the id of their question. */
function withUniqueIds(questions: readonly Question[]): Question[] {
  const taken = new Set(questions.map(({ id }) => id));
  const seen = new Set<string>();
  return questions.map((question) => {
    let { id } = question;
    for (let n = 2; seen.has(id) || (id !== question.id && taken.has(id)); n++) id = `${question.id}#${n}`;
    seen.add(id);
    return id === question.id ? question : { ...question, id };
  });
}

/** Port: keeps one model's answers to one benchmark. */
export interface AnswerFolder extends AnswerStore {
  saveVerdicts(verdicts: readonly Graded[]): Promise<void>;
  saveResult(result: BenchmarkResult, more: Pick<StoredResult, "execution">): Promise<StoredResult>;
}

/** Opens the folder of a model's answers to a benchmark. @throws UserError where it holds answers with other settings. */
export type OpenAnswers = (
  what: { readonly benchmark: string; readonly model: string },
  settings: AnswerSettings,
) => Promise<AnswerFolder>;

/** A model under test, as results name it. */
export interface BenchmarkedModel {
  readonly name: string;
  /** Reference of the base. */
  readonly base: string;
  /** SHA-256 of the adapter; null: the bare base. */
  readonly adapterHash: string | null;
  /** Tokens of prompt and answer together, as requested. */
  readonly maxLength: number;
  readonly generator: TextGenerator;
}

export interface BenchmarkOptions {
  readonly openAnswers: OpenAnswers;
  readonly seed: number;
  readonly maxNewTokens?: number | undefined;
  readonly temperature?: number | undefined;
  readonly batchSize?: number | undefined;
  readonly tools: Omit<GradingTools, "signal">;
  /** Answers graded at once. */
  readonly concurrency: number;
  readonly onProgress?: (done: number, of: number, grading: boolean) => void;
  /** Called before the grading. An error thrown here ends the work; answers are kept. */
  readonly beforeGrading?: ((answers: readonly AnswerRecord[]) => Promise<void>) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Runs a benchmark on a model. Questions with an answer in the folder are not asked again. Keeps answers, verdicts and the result. */
export async function runBenchmark(
  task: BenchmarkTask,
  model: BenchmarkedModel,
  options: BenchmarkOptions,
): Promise<StoredResult> {
  const { benchmark, mode, samples, questions } = task;
  const { openAnswers, seed, tools, concurrency, onProgress, beforeGrading, signal } = options;
  const folder = await openAnswers({ benchmark: task.name, model: model.name }, answerSettings(task, model, options));
  const answers = await askQuestions(benchmark, questions, evaluatedModel(model.generator, options), {
    ...options,
    mode,
    samples,
    store: folder,
    onProgress: onProgress && ((done, of) => onProgress(done, of, false)),
  });
  await beforeGrading?.(answers);
  const grading = onProgress && ((done: number): void => onProgress(done, questions.length, true));
  const graded = await gradeAnswers(
    benchmark,
    questions,
    answers,
    { ...tools, signal },
    { concurrency, ...(grading && { onProgress: grading }) },
  );
  await folder.saveVerdicts(graded);
  return folder.saveResult(summarise(benchmark, answers, graded, seed), executionOf(benchmark, tools));
}

/** Lists everything that the answers to a task depend on, besides its questions. */
function answerSettings(
  { mode, shots, samples }: BenchmarkTask,
  { base, adapterHash, maxLength, generator: { template, system } }: BenchmarkedModel,
  { seed, maxNewTokens, temperature, tools: { fidelity } }: BenchmarkOptions,
): AnswerSettings {
  return {
    base,
    adapter: adapterHash,
    template,
    system: system ?? null,
    maxLength,
    answerBy: mode,
    shots,
    samples,
    temperature: temperature ?? null,
    maxNewTokens: maxNewTokens ?? null,
    seed,
    fidelity,
  };
}

function executionOf(
  { needs }: Benchmark,
  { codeRunner }: Pick<GradingTools, "codeRunner">,
): Pick<StoredResult, "execution"> {
  if (needs !== "code-execution" || codeRunner === undefined) return {};
  return { execution: { interpreter: codeRunner.interpreter, limits: codeRunner.limits } };
}
