import { type AnswerFolder, answerSettings, putBenchmark } from "../evaluation/benchmark-task.ts";
import { respondent } from "../evaluation/respondent.ts";
import type { AnswerSettings } from "../evaluation/results.ts";
import { type Evaluated, evaluationDue, type ToEvaluate } from "../federation/evaluation.ts";
import { eachAdapter } from "../federation/adapter-set.ts";
import { keySegment } from "../store/store.ts";
import { sha256 } from "../tensor/sha256.ts";
import type { Params } from "../tensor/params.ts";
import { encodeSafetensors } from "../tensor/safetensors.ts";
import { type Decoder, openDecoder } from "../decode/decoder.ts";
import type { Runtime } from "../train/runtime.ts";
import type { RunGrading } from "./benchmarks.ts";
import { type Prepared, stopTokens } from "./prepare.ts";

export interface PutBenchmarksOptions {
  readonly runtime: Runtime;
  readonly grading: RunGrading;
  /** Where a model's answers after a round are kept. */
  readonly openAnswers: (
    round: number,
    what: { readonly benchmark: string; readonly model: string },
    settings: AnswerSettings,
  ) => Promise<AnswerFolder>;
  readonly onProgress?: ((message: string) => void) | undefined;
}

/**
 * Puts a run's benchmarks to the global adapter after a round or, where clients keep their own, to each of those.
 * Undefined where none is due.
 */
export async function putBenchmarks(
  prepared: Prepared,
  { round, adapters, signal }: ToEvaluate,
  { runtime, grading, openAnswers, onProgress }: PutBenchmarksOptions,
): Promise<Evaluated["benchmarks"]> {
  const { config, model, lora, tokenizer, benchmarks } = prepared;
  const due = benchmarks.filter(({ settings }) => evaluationDue(round, config.federation.rounds, settings.every));
  if (due.length === 0) return undefined;
  // Of all benchmarks, not those that are due: a question is asked in the same window in every round.
  const longest = Math.max(...benchmarks.map(({ settings }) => settings.maxLength));
  const maxLength = Math.min(model.config.maxPositions, longest);
  const decoder: Decoder = await openDecoder({ runtime, ...model, lora, maxLength });
  const { template, system } = config.data;
  const scores: NonNullable<Evaluated["benchmarks"]>[number][] = [];
  const put = async (params: Params, client?: string): Promise<void> => {
    const subject = respondent({
      decoder,
      adapter: params,
      tokenizer,
      template,
      system,
      stopTokens: stopTokens(model, tokenizer),
    });
    const hash = await sha256(encodeSafetensors(params));
    for (const { task, settings } of due) {
      const { name, maxNewTokens } = settings;
      const started = performance.now();
      const options = { seed: config.seed, maxNewTokens };
      const folder = await openAnswers(
        round,
        { benchmark: name, model: client === undefined ? "global" : keySegment(client) },
        answerSettings(task, options, { base: model.ref, adapter: hash, template, system, maxLength }),
      );
      const whose = client === undefined ? "" : `${client} on `;
      const { result } = await putBenchmark(task, subject, folder, {
        ...options,
        tools: { ...grading, fidelity: config.fidelity },
        concurrency: task.benchmark.needs === undefined ? 1 : 4,
        onProgress: (done, of, graded) =>
          onProgress?.(`${whose}${name}: ${graded ? "graded" : "answered"} ${done} of ${of}`),
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
    for await (const { client, adapter } of eachAdapter(adapters)) await put(adapter, client);
  } finally {
    await decoder.dispose();
  }
  return scores;
}
