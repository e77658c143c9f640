import type { TemplateName } from "../data/template.ts";
import { openInferenceEngine } from "../decode/inference-engine.ts";
import {
  type BenchmarkOptions,
  type BenchmarkTask,
  loadBenchmarkTask,
  runBenchmark,
  type TaskOptions,
} from "../evaluation/benchmark-task.ts";
import type { StoredResult } from "../evaluation/results.ts";
import type { AnswerRecord } from "../evaluation/run-benchmark.ts";
import type { Platform } from "../experiment/ports.ts";
import { shapeKey } from "../model/lora.ts";
import { type NamedModel, openNamedAdapters } from "./fitting-adapter.ts";

export interface EvaluationOptions
  extends Omit<TaskOptions, "data" | "fidelity">, Omit<BenchmarkOptions, "onProgress" | "beforeGrading" | "signal"> {
  /** Reference of the base. */
  readonly base: string;
  readonly models: readonly NamedModel[];
  /** Names in `BENCHMARKS`. */
  readonly benchmarks: readonly string[];
  /** Benchmark → its local folder or file; the Hub otherwise. */
  readonly data: Readonly<Record<string, string>>;
  /** Tokens of prompt and answer together. */
  readonly maxLength: number;
  readonly template: TemplateName;
  readonly system?: string | undefined;
}

export interface EvaluationEvents {
  readonly onStage: (text: string) => void;
  readonly onProgress: (what: { benchmark: string; model: string; done: number; of: number; grading: boolean }) => void;
  readonly onResult: (result: StoredResult) => void;
  /** Called before the grading. An error thrown here ends the work; answers are kept. */
  readonly beforeGrading?: (what: ToGrade) => Promise<void>;
}

export interface ToGrade {
  readonly task: BenchmarkTask;
  readonly model: string;
  readonly answers: readonly AnswerRecord[];
}

/** Runs benchmarks on a base and its adapters. Questions that were answered before in the same folder are not asked again. */
export async function evaluateModels(
  options: EvaluationOptions,
  platform: Platform,
  events: EvaluationEvents,
  signal: AbortSignal,
): Promise<void> {
  const { base: ref, template, system, maxLength } = options;
  const { onStage, onProgress, onResult, beforeGrading } = events;
  const tasks: BenchmarkTask[] = [];
  for (const name of options.benchmarks) {
    onStage(`reading ${name}`);
    const { fidelity } = options.tools;
    tasks.push(await loadBenchmarkTask(name, platform.files, { ...options, data: options.data[name], fidelity }));
  }
  onStage(`opening ${ref}`);
  const base = await platform.openModel(ref);
  const models = await openNamedAdapters(platform, base, options.models);
  const engine = openInferenceEngine({ runtime: platform.runtime, base, template, system, maxLength });
  let shape: string | undefined;
  try {
    for (const { name, adapter } of models) {
      // Each decoder holds a copy of the weights: one of them is open at a time.
      if (shapeKey(adapter?.shape) !== shape) await engine.dispose();
      shape = shapeKey(adapter?.shape);
      for (const task of tasks) {
        const benchmark = task.name;
        // A new one for each task, so that answers do not depend on the tasks before.
        const generator = await engine.withAdapter(adapter);
        const model = { name, base: ref, adapterHash: adapter?.hash ?? null, maxLength, generator };
        const result = await runBenchmark(task, model, {
          ...options,
          onProgress: (done, of, grading) => onProgress({ benchmark, model: name, done, of, grading }),
          beforeGrading: beforeGrading && ((answers) => beforeGrading({ task, model: name, answers })),
          signal,
        });
        onResult(result);
      }
    }
  } finally {
    await engine.dispose();
  }
}
