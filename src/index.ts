/** The library's public face. The command line is a shim over the same functions. */
export { UserError, EXIT_CODES } from "./diagnostics/user-error.ts";

export type { Params, Tensor } from "./tensor/params.ts";
export { stream, type RandomStream } from "./tensor/random.ts";
export { decodeSafetensors, encodeSafetensors } from "./tensor/safetensors.ts";

export { initAdapter, type AdapterConfig } from "./model/adapter.ts";
export type { BaseModel } from "./model/base-model.ts";
export type { ModelConfig } from "./model/config.ts";

export type { LocalResult, LocalTerm } from "./optim/local.ts";
export { OPTIMIZERS, type Optimizer, type OptimizerState } from "./optim/optimizer.ts";
export { SCHEDULES, type Schedule } from "./optim/schedule.ts";

export { openDecoder, type Decoder, type DecoderOptions } from "./train/decoder.ts";
export type { Example, PairExample, RatedExample, TrainingItem } from "./train/example.ts";
export { generate, type Generated, type GenerationOptions } from "./train/generation.ts";
export { openGradientEngine, type GradientEngine, type StepGradients } from "./train/gradient-engine.ts";
export { trainLocally, type LocalStep, type LocalTrainingResult } from "./train/local-training.ts";
export { measure, type Measured } from "./train/measure.ts";
export type { Objective, ObjectiveSettings } from "./train/objective.ts";
export { OBJECTIVES } from "./train/objective-registry.ts";
export { referenceOf } from "./train/reference.ts";
export { referenceRuntime } from "./train/reference-runtime.ts";
export type { Runtime, RuntimeSession, RuntimeTensor } from "./train/runtime.ts";
export { openScorer, type Score, type Scorer } from "./train/scorer.ts";
export { addTallies, meansOf, type Tally } from "./train/tally.ts";

export { DATASETS, type NamedDataset } from "./data/datasets.ts";
export type { DataRecord } from "./data/record.ts";
export { loadRecords } from "./data/source.ts";
export { generateTexts, type GeneratedText, type TextGenerationOptions } from "./data/text-generation.ts";
export { TEMPLATES } from "./data/template.ts";

export type { Algorithm } from "./algorithms/algorithm.ts";
export { ALGORITHMS } from "./algorithms/registry.ts";
export type { EmitEvent, RunEvent } from "./federation/events.ts";
export type { Exchange } from "./federation/exchange.ts";
export { memoryExchange } from "./federation/memory-exchange.ts";
export { sha256 } from "./federation/sha256.ts";

export {
  bleuOf,
  corpusBleu,
  sentenceBleu,
  textStatistics,
  type Bleu,
  type TextBleuOptions,
} from "./evaluation/bleu.ts";
export { bleuStatistics, sumBleuStatistics, type BleuStatistics } from "./evaluation/bleu-statistics.ts";
export {
  bootstrap,
  bootstrapMean,
  pairedDifference,
  type BootstrapOptions,
  type Difference,
  type Interval,
} from "./evaluation/bootstrap.ts";
export { classificationReport, type ClassificationReport } from "./evaluation/classification.ts";
export { dropMetric } from "./evaluation/drop-metric.ts";
export { estimateJudging, judgingCost, type JudgePrices, type JudgingEstimate } from "./evaluation/judge-estimate.ts";
export type { Judge, JudgeSettings } from "./evaluation/judge.ts";
export { memoryJudgements, type Judgement, type JudgementStore } from "./evaluation/judgement.ts";
export { openJudge, type JudgeOptions, type JudgeUsage, type OpenJudge } from "./evaluation/open-judge.ts";
export { exposureOf, type Exposure } from "./evaluation/exposure.ts";
export { ngramOverlap, type NgramOverlap } from "./evaluation/ngram-overlap.ts";
export { meanPassAtK, passAtK, type Attempts } from "./evaluation/pass-at-k.ts";
export { perplexity, type TextLikelihood } from "./evaluation/perplexity.ts";
export { preferenceAccuracy } from "./evaluation/preference-accuracy.ts";
export { rivalAnswers } from "./evaluation/rival.ts";
export { rouge, type Rouge, type RougeScore } from "./evaluation/rouge.ts";
export { conalaScore, concodeScore, type SnippetScore } from "./evaluation/snippet-bleu.ts";
export { squadMetric, type AnswerScore } from "./evaluation/squad-metric.ts";
export { lengthControlledWinRate, winRate, type LengthedPreference, type WinRate } from "./evaluation/win-rate.ts";

export { parseExperiment } from "./experiment/parse.ts";
export { measureMemorisation, type Memorisation, type MemorisationOptions } from "./experiment/memorisation.ts";
export type { Platform, RunStore } from "./experiment/ports.ts";
export { prepareExperiment, type Prepared } from "./experiment/prepare.ts";
export { runExperiment } from "./experiment/run.ts";
export { experimentJsonSchema, type ExperimentConfig } from "./experiment/schema.ts";
export type { RunSummary } from "./experiment/summary.ts";

export { chartsOf } from "./study/charts.ts";
export { compareRuns, type Comparison } from "./study/comparison.ts";
export { costOf, figure, trajectory } from "./study/figures.ts";
export { matrixOf } from "./study/matrix.ts";
export type { StoredRun } from "./study/stored-run.ts";

export type { Answerer, AnswerOptions } from "./serving/answerer.ts";
export { openAiApp, type Access, type OpenAiAppOptions } from "./serving/openai-app.ts";

export { loadAdapter, saveAdapter } from "./node/adapter-files.ts";
export { readConfigFile } from "./node/config-file.ts";
export { serveOpenAi, type HttpServer, type ServeOptions } from "./node/http-server.ts";
export { loadAnswerer, type LoadAnswererOptions } from "./node/load-answerer.ts";
export { openHub, type Hub, type HubOptions, type Snapshot } from "./node/hub.ts";
export { openJudgements } from "./node/judgement-file.ts";
export { openModel } from "./node/model-source.ts";
export { onnxRuntime } from "./node/onnx-runtime.ts";
export { nodePlatform } from "./node/platform.ts";
export { openRunFolder } from "./node/run-folder.ts";
export { readStoredRuns } from "./node/stored-runs.ts";
export { readSweepFile } from "./node/sweep-file.ts";
