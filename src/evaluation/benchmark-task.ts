import type { FileReader } from "../data/file-reader.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { benchmarkData } from "./benchmark-data.ts";
import type { AnswerMode, Benchmark, GradingTools } from "./benchmark.ts";
import { BENCHMARKS } from "./registry.ts";
import type { Respondent } from "./respondent.ts";
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

/** A benchmark with the questions that are put. */
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
  /** At most so many questions, the same ones for a seed. */
  readonly limit?: number | undefined;
  readonly mode?: AnswerMode | undefined;
  readonly shots?: number | undefined;
  readonly samples?: number | undefined;
  readonly seed: number;
  readonly fidelity: "paper" | "original";
}

/** @throws UserError of kind `config` or `data` for what cannot be asked. */
export async function loadBenchmarkTask(name: string, files: FileReader, options: TaskOptions): Promise<BenchmarkTask> {
  const benchmark = BENCHMARKS[name]!;
  const { mode = benchmark.modes[0]!, data, limit, seed, shots, fidelity } = options;
  if (!benchmark.modes.includes(mode)) {
    throw new UserError("config", `${name} cannot be answered by ${mode}, only by ${benchmark.modes.join(" or ")}`, {
      hint: "Leave out how it is answered, or put it apart.",
    });
  }
  const all = await benchmark.load(benchmarkData(files, data), { mode, shots, fidelity });
  if (all.length === 0) throw new UserError("data", `${name}: no questions in ${data ?? "its dataset"}`);
  return {
    name,
    benchmark,
    mode,
    shots: shots ?? benchmark.shots,
    samples: mode === "likelihood" ? 1 : (options.samples ?? benchmark.samples ?? 1),
    questions: sampleQuestions(all, limit, { seed, benchmark: name }),
  };
}

/** Where one model's answers to one benchmark are kept. */
export interface AnswerFolder extends AnswerStore {
  saveVerdicts(verdicts: readonly Graded[]): Promise<void>;
  saveResult(result: BenchmarkResult, more: Pick<StoredResult, "execution">): Promise<StoredResult>;
}

export interface PutOptions {
  readonly seed: number;
  readonly maxNewTokens?: number | undefined;
  readonly temperature?: number | undefined;
  readonly tools: Omit<GradingTools, "signal">;
  /** Answers graded at once. */
  readonly concurrency: number;
  readonly onProgress?: (done: number, of: number, grading: boolean) => void;
  /** Before anything is graded; an error thrown here ends the work, answers are kept. */
  readonly beforeGrading?: ((answers: readonly AnswerRecord[]) => Promise<void>) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What the answers to a task follow from, besides its questions. */
export function answerSettings(
  { mode, shots, samples }: BenchmarkTask,
  { seed, maxNewTokens, temperature }: Pick<PutOptions, "seed" | "maxNewTokens" | "temperature">,
  model: {
    readonly base: string;
    /** sha256 of the adapter; null: the bare base. */
    readonly adapter: string | null;
    readonly template: string;
    readonly system: string | undefined;
    readonly maxLength: number;
  },
): AnswerSettings {
  return {
    ...model,
    system: model.system ?? null,
    answerBy: mode,
    shots,
    samples,
    temperature: temperature ?? null,
    maxNewTokens: maxNewTokens ?? null,
    seed,
  };
}

/** Puts a benchmark to a model: what is kept in the folder is not asked again; answers, verdicts and the result are kept. */
export async function putBenchmark(
  { benchmark, mode, samples, questions }: BenchmarkTask,
  model: Respondent,
  folder: AnswerFolder,
  options: PutOptions,
): Promise<StoredResult> {
  const { seed, tools, concurrency, onProgress, beforeGrading, signal } = options;
  const answers = await askQuestions(benchmark, questions, model, {
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

function executionOf(
  { needs }: Benchmark,
  { codeRunner }: Pick<GradingTools, "codeRunner">,
): Pick<StoredResult, "execution"> {
  if (needs !== "code-execution" || codeRunner === undefined) return {};
  return { execution: { interpreter: codeRunner.interpreter, limits: codeRunner.limits } };
}
