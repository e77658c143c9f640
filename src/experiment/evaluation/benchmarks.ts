import type { FileReader } from "../../data/file-reader.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { type BenchmarkTask, loadBenchmarkTask } from "../../evaluation/benchmark-task.ts";
import type { GradingTools } from "../../evaluation/benchmark.ts";
import { BENCHMARKS } from "../../evaluation/benchmark-registry.ts";
import type { ExperimentConfig } from "../../settings/schema.ts";

type BenchmarkSettings = ExperimentConfig["evaluation"]["benchmarks"][number];

/** A benchmark that a run evaluates its adapters on. */
export interface RunBenchmark {
  readonly task: BenchmarkTask;
  readonly settings: BenchmarkSettings;
}

/** Questions of `evaluation.benchmarks`, read before anything is trained, so that a mistake in them shows at once. */
export async function loadRunBenchmarks(
  { evaluation, seed, fidelity }: ExperimentConfig,
  files: FileReader,
  onProgress: ((message: string) => void) | undefined,
): Promise<RunBenchmark[]> {
  const loaded: RunBenchmark[] = [];
  for (const settings of evaluation.benchmarks) {
    const { name, answerBy } = settings;
    onProgress?.(`reading ${name}`);
    loaded.push({
      settings,
      task: await loadBenchmarkTask(name, files, { ...settings, mode: answerBy, seed, fidelity }),
    });
  }
  return loaded;
}

/** Graders of a run's benchmarks besides the answers themselves: code and judges need the user's consent. */
export type RunGrading = Pick<GradingTools, "codeRunner" | "judge">;

/** @throws UserError("config") for a benchmark that cannot be graded with what there is. */
export function checkGrading({ evaluation }: ExperimentConfig, { codeRunner, judge }: RunGrading = {}): void {
  for (const { name } of evaluation.benchmarks) {
    const { needs, needsBaseline } = BENCHMARKS[name]!;
    if (needsBaseline === true) {
      throw new UserError(
        "config",
        `evaluation.benchmarks: ${name} compares with another model's answers, which a run has none of`,
        {
          hint: "Run it on the finished adapter: npx openfedllm eval",
        },
      );
    }
    if (needs === "code-execution" && codeRunner === undefined) {
      throw new UserError("config", `evaluation.benchmarks: ${name} runs programs that the model wrote`, {
        hint: "Allow it with --allow-code-execution, or leave the benchmark out.",
      });
    }
    if (needs === "judge" && judge === undefined) {
      throw new UserError("config", `evaluation.benchmarks: ${name} needs a judge`, {
        hint: "Name one with --judge-url and --judge-model, or leave the benchmark out.",
      });
    }
  }
}
