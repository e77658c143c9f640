import type { OnCount } from "../../concurrency/counted-work.ts";
import { JUDGE_CONCURRENCY } from "../../evaluation/judge/open-judge.ts";
import { type OpenAnswers, runBenchmark } from "../../evaluation/benchmark-task.ts";
import { type Evaluated, evaluationDue, type ToEvaluate } from "../../federation/evaluation.ts";
import { eachAdapter } from "../../federation/adapter-set.ts";
import { keySegment } from "../../store/store.ts";
import { sha256 } from "../../tensor/sha256.ts";
import type { Params } from "../../tensor/params.ts";
import { encodeSafetensors } from "../../tensor/safetensors.ts";
import type { Runtime } from "../../train/runtime.ts";
import type { RunGrading } from "./benchmarks.ts";
import { openInference } from "../inference.ts";
import type { Prepared } from "../prepare.ts";

export interface RunBenchmarksOptions {
  readonly runtime: Runtime;
  readonly grading: RunGrading;
  /** Opens the place for a model's answers after a round. */
  readonly openAnswers: (round: number, ...what: Parameters<OpenAnswers>) => ReturnType<OpenAnswers>;
  readonly onCount?: OnCount | undefined;
}

/**
 * Runs the benchmarks of a run on its adapters after a round: on the common one, or on each client's own. Undefined where
 * none is due.
 */
export async function runBenchmarks(
  prepared: Prepared,
  { round, adapters, signal }: ToEvaluate,
  { runtime, grading, openAnswers, onCount }: RunBenchmarksOptions,
): Promise<Evaluated["benchmarks"]> {
  const { config, model, lora, benchmarks } = prepared;
  const due = benchmarks.filter(({ settings }) => evaluationDue(round, config.federation.rounds, settings.every));
  if (due.length === 0) return undefined;
  // Of all benchmarks, not those that are due: a question is asked in the same window in every round.
  const engine = openInference(prepared, runtime, Math.max(...benchmarks.map(({ settings }) => settings.maxLength)));
  const scores: NonNullable<Evaluated["benchmarks"]>[number][] = [];
  const run = async (params: Params, client?: string): Promise<void> => {
    const subject = {
      name: client === undefined ? "global" : keySegment(client),
      base: model.ref,
      adapterHash: await sha256(encodeSafetensors(params)),
      maxLength: engine.maxLength,
      generator: await engine.withAdapter({ shape: lora, params }),
    };
    const whose = client === undefined ? "" : `${client} on `;
    for (const { task, settings } of due) {
      const { name, maxNewTokens } = settings;
      const started = performance.now();
      const { result } = await runBenchmark(task, subject, {
        openAnswers: (...what) => openAnswers(round, ...what),
        seed: config.seed,
        maxNewTokens,
        tools: { ...grading, fidelity: config.fidelity },
        concurrency: task.benchmark.needs === undefined ? 1 : JUDGE_CONCURRENCY,
        onProgress: (done, of, graded) =>
          onCount?.({ what: `${whose}${name}`, unit: graded ? "answers graded" : "questions answered", done, of }),
        signal,
      });
      scores.push({
        benchmark: name,
        ...(client === undefined ? {} : { client }),
        questions: result.questions,
        metrics: Object.fromEntries(Object.entries(result.metrics).map(([metric, { value }]) => [metric, value])),
        seconds: (performance.now() - started) / 1000,
      });
    }
  };
  try {
    for await (const { client, adapter } of eachAdapter(adapters)) await run(adapter, client);
  } finally {
    await engine.dispose();
  }
  return scores;
}
