import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { TemplateName } from "../data/template.ts";
import { answerSettings, type BenchmarkTask, loadBenchmarkTask, putBenchmark } from "../evaluation/benchmark-task.ts";
import type { AnswerMode, GradingTools } from "../evaluation/benchmark.ts";
import { respondent, type Respondent } from "../evaluation/respondent.ts";
import type { StoredResult } from "../evaluation/results.ts";
import type { AnswerRecord } from "../evaluation/run-benchmark.ts";
import type { Platform } from "../experiment/ports.ts";
import { openTokenizer, loraShape, stopTokens } from "../experiment/prepare.ts";
import type { Tokenizer } from "../data/tokenizer.ts";
import type { BaseModel } from "../model/base-model.ts";
import { type LoraShape, shapeKey } from "../model/lora.ts";
import type { Params } from "../tensor/params.ts";
import { openDecoder, type Decoder } from "../decode/decoder.ts";
import { loadAdapterFor } from "./adapted-model.ts";
import { ADAPTER_TENSORS } from "../node/model/adapter-files.ts";
import { openAnswerFolder } from "../node/store/evaluation-folder.ts";

/** A base with an adapter, or the base alone, by the name that results give it. */
export interface NamedModel {
  readonly name: string;
  /** Folder of a PEFT adapter; undefined: the bare base. */
  readonly adapter: string | undefined;
}

export interface EvaluationOptions {
  /** Reference of the base. */
  readonly base: string;
  readonly models: readonly NamedModel[];
  /** Names in `BENCHMARKS`. */
  readonly benchmarks: readonly string[];
  /** Benchmark → its local folder or file; the Hub otherwise. */
  readonly data: Readonly<Record<string, string>>;
  /** The evaluation folder. */
  readonly out: string;
  /** At most so many questions of each benchmark, the same ones for every model. */
  readonly limit?: number | undefined;
  readonly mode?: AnswerMode | undefined;
  readonly shots?: number | undefined;
  readonly samples?: number | undefined;
  readonly temperature?: number | undefined;
  readonly maxNewTokens?: number | undefined;
  /** Tokens of prompt and answer together. */
  readonly maxLength: number;
  readonly template: TemplateName;
  readonly system?: string | undefined;
  readonly seed: number;
  readonly batchSize?: number | undefined;
  readonly tools: Omit<GradingTools, "signal">;
  /** Answers graded at once. */
  readonly concurrency: number;
}

export interface EvaluationEvents {
  readonly onStage: (text: string) => void;
  readonly onProgress: (what: { benchmark: string; model: string; done: number; of: number; grading: boolean }) => void;
  readonly onResult: (result: StoredResult) => void;
  /** Before anything is graded by a judge; an error thrown here ends the work, answers are kept. */
  readonly beforeGrading?: (what: ToGrade) => Promise<void>;
}

export interface ToGrade {
  readonly task: BenchmarkTask;
  readonly model: string;
  readonly answers: readonly AnswerRecord[];
}

/** Puts benchmarks to a base and its adapters; what was answered before in the same folder is not asked again. */
export async function evaluateModels(
  options: EvaluationOptions,
  platform: Platform,
  events: EvaluationEvents,
  signal: AbortSignal,
): Promise<void> {
  const tasks: BenchmarkTask[] = [];
  for (const name of options.benchmarks) {
    events.onStage(`reading ${name}`);
    const { fidelity } = options.tools;
    tasks.push(await loadBenchmarkTask(name, platform.files, { ...options, data: options.data[name], fidelity }));
  }
  events.onStage(`opening ${options.base}`);
  const model = await platform.openModel(options.base);
  const opened = await openAll(model, options, platform);
  try {
    for (const each of opened.models) {
      for (const task of tasks) await evaluate(each, task, options, events, signal);
    }
  } finally {
    await opened.dispose();
  }
}

interface OpenedModel {
  readonly name: string;
  /** SHA-256 of the adapter's tensors; null: the bare base. */
  readonly adapterHash: string | null;
  readonly respondent: () => Promise<Respondent>;
}

/** Adapters of one shape share a decoder; of the decoders one is open at a time, for each holds the weights. */
async function openAll(
  model: BaseModel,
  options: EvaluationOptions,
  platform: Platform,
): Promise<{ models: OpenedModel[]; dispose: () => Promise<void> }> {
  const tokenizer: Tokenizer = openTokenizer(model);
  const maxLength = Math.min(options.maxLength, model.config.maxPositions);
  let current: { key: string; decoder: Decoder } | undefined;
  const decoderFor = async (lora: LoraShape | undefined): Promise<Decoder> => {
    const key = shapeKey(lora);
    if (current?.key !== key) {
      await current?.decoder.dispose();
      current = undefined;
      current = { key, decoder: await openDecoder({ runtime: platform.runtime, ...model, lora, maxLength }) };
    }
    return current.decoder;
  };
  const models: OpenedModel[] = [];
  for (const { name, adapter } of options.models) {
    let lora: LoraShape | undefined;
    let params: Params = new Map();
    let adapterHash: string | null = null;
    if (adapter !== undefined) {
      const loaded = await loadAdapterFor(model, adapter);
      lora = loraShape(loaded.config, model.config);
      params = loaded.params;
      adapterHash = createHash("sha256")
        .update(await readFile(path.join(adapter, ADAPTER_TENSORS)))
        .digest("hex");
    }
    models.push({
      name,
      adapterHash,
      respondent: async () =>
        respondent({
          ...options,
          decoder: await decoderFor(lora),
          adapter: params,
          tokenizer,
          stopTokens: stopTokens(model, tokenizer),
        }),
    });
  }
  return { models, dispose: async () => current?.decoder.dispose() };
}

async function evaluate(
  { name: model, adapterHash, respondent: open }: OpenedModel,
  task: BenchmarkTask,
  options: EvaluationOptions,
  events: EvaluationEvents,
  signal: AbortSignal,
): Promise<void> {
  const { name: benchmark } = task;
  const { base, template, system, maxLength } = options;
  const settings = answerSettings(task, options, { base, adapter: adapterHash, template, system, maxLength });
  const folder = await openAnswerFolder({ out: options.out, benchmark, model }, settings);
  const { beforeGrading } = events;
  const result = await putBenchmark(task, await open(), folder, {
    ...options,
    onProgress: (done, of, grading) => events.onProgress({ benchmark, model, done, of, grading }),
    beforeGrading: beforeGrading && ((answers) => beforeGrading({ task, model, answers })),
    signal,
  });
  events.onResult(result);
}
