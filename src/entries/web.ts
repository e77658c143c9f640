/** `openfedllm/web`: all of the library that needs web standards only. Node has it too. */
export { z } from "zod";
export { UserError, EXIT_CODES } from "../diagnostics/user-error.ts";

export { addScaled, mapParams, scale, subtract, zipParams, type Params, type Tensor } from "../tensor/params.ts";
export { stream, type RandomStream } from "../tensor/random.ts";
export { decodeSafetensors, encodeSafetensors } from "../tensor/safetensors.ts";

export { gaussianDelta, gaussianEpsilon, gaussianMu, noiseFor } from "../privacy/gaussian.ts";
export { pldEpsilon } from "../privacy/pld.ts";
export { rdpEpsilon, type RenyiEpsilon, type SampledRounds } from "../privacy/rdp.ts";

export {
  checkAdapter,
  initAdapter,
  loraShape,
  type Adapter,
  type AdapterConfig,
  type StoredAdapter,
} from "../model/adapter.ts";
export type { BaseModel } from "../model/base-model.ts";
export type { ModelConfig } from "../model/config.ts";
export { parseModelConfig } from "../model/families/registry.ts";
export type { LoraShape } from "../model/lora.ts";
export type { Weights } from "../model/weights.ts";

export type { LocalResult, LocalRule } from "../optim/local-rule.ts";
export { OPTIMIZERS, type Optimizer, type OptimizerState } from "../optim/optimizer.ts";
export { SCHEDULES, type Schedule } from "../optim/schedule.ts";

export type { Example } from "../data/example.ts";
export type { PairExample } from "../data/items/pair.ts";
export type { RatedExample } from "../data/items/rated.ts";
export type { TrainingItem } from "../data/items/registry.ts";
export { openGradientEngine, type GradientEngine, type StepGradients } from "../train/gradient-engine.ts";
export { trainLocally, type LocalStep, type LocalTrainingResult } from "../train/local-training.ts";
export { measure, type Measured } from "../train/measure.ts";
export type { Objective } from "../train/objective.ts";
export { objectiveOf, OBJECTIVES } from "../train/objective-registry.ts";
export { supervisedTokens } from "../train/micro-batches.ts";
export { vector } from "../train/runtime.ts";
export { preferenceAccuracy } from "../train/preference-accuracy.ts";
export { referenceOf } from "../train/reference.ts";
export { referenceRuntime } from "../train/reference-runtime.ts";
export type { Runtime, RuntimeSession, RuntimeTensor } from "../train/runtime.ts";
export { openScorer, type Score, type Scorer } from "../train/scorer.ts";
export { addTallies, meansOf, type Tally } from "../train/tally.ts";

export { DATASETS, type NamedDataset } from "../data/datasets.ts";
export type { DataRecord } from "../data/record.ts";
export { loadRecords } from "../data/source.ts";
export { TEMPLATES } from "../data/template.ts";

export { openDecoder, type Decoder, type DecoderOptions } from "../decode/decoder.ts";
export { generate, type Generated, type GenerationOptions } from "../decode/generation.ts";
export { openInferenceEngine, type InferenceEngine, type InferenceOptions } from "../decode/inference-engine.ts";
export type { GeneratedText, TextGenerator, TextOptions } from "../decode/text-generator.ts";

export type { Algorithm, ClientRule, ServerRule } from "../algorithms/algorithm.ts";
export { algorithmOf, ALGORITHMS } from "../algorithms/registry.ts";
export type { Aggregator } from "../updates/aggregator.ts";
export { aggregatorOf, AGGREGATORS } from "../updates/aggregator-registry.ts";
export type { Stage } from "../updates/stage.ts";
export { stagesOf, STAGES } from "../updates/stage-registry.ts";
export type { EmitEvent, EventSink, RunEvent } from "../federation/events.ts";
export type { Store } from "../store/store.ts";
export { memoryStore } from "../store/memory-store.ts";
export { sha256 } from "../tensor/sha256.ts";

export {
  ACCURACY,
  EXACT_MATCH,
  GREEDY,
  type Answer,
  type Benchmark,
  type Question,
  type Verdict,
} from "../evaluation/benchmark.ts";
export { BENCHMARKS } from "../evaluation/benchmark-registry.ts";
export {
  bleuOf,
  corpusBleu,
  sentenceBleu,
  textStatistics,
  type Bleu,
  type TextBleuOptions,
} from "../evaluation/metrics/bleu.ts";
export { bleuStatistics, sumBleuStatistics, type BleuStatistics } from "../evaluation/metrics/bleu-statistics.ts";
export {
  bootstrap,
  bootstrapMean,
  pairedDifference,
  type BootstrapOptions,
  type Difference,
  type Interval,
} from "../evaluation/metrics/bootstrap.ts";
export {
  estimateMean,
  estimateOf,
  FEWEST_FOR_BOOTSTRAP,
  meanDifference,
  proportion,
  type Estimate,
} from "../evaluation/metrics/estimate.ts";
export { classificationReport, type ClassificationReport } from "../evaluation/metrics/classification.ts";
export { dropMetric } from "../evaluation/metrics/drop-metric.ts";
export {
  estimateJudging,
  judgingCost,
  type JudgePrices,
  type JudgingEstimate,
} from "../evaluation/judge/judge-estimate.ts";
export type { Judge, JudgeSettings } from "../evaluation/judge/judge.ts";
export { memoryJudgements, type Judgement, type JudgementStore } from "../evaluation/judge/judgement.ts";
export { openJudge, type JudgeOptions, type JudgeUsage, type OpenJudge } from "../evaluation/judge/open-judge.ts";
export { exposureOf, type Exposure } from "../evaluation/metrics/exposure.ts";
export { ngramOverlap, type NgramOverlap } from "../evaluation/metrics/ngram-overlap.ts";
export { meanPassAtK, passAtK, type Attempts } from "../evaluation/metrics/pass-at-k.ts";
export { perplexity, type TextLikelihood } from "../evaluation/metrics/perplexity.ts";
export { baselineAnswers } from "../evaluation/judge/baseline-answers.ts";
export { rouge, type Rouge, type RougeScore } from "../evaluation/metrics/rouge.ts";
export { conalaScore, concodeScore, type SnippetScore } from "../evaluation/metrics/snippet-bleu.ts";
export { squadMetric, type AnswerScore } from "../evaluation/metrics/squad-metric.ts";
export {
  lengthControlledWinRate,
  winRate,
  type LengthedPreference,
  type WinRate,
} from "../evaluation/metrics/win-rate.ts";

export { usePlugin, type Plugin, type PluginSource } from "../plugins/plugin.ts";
export { parseExperiment } from "../settings/parse.ts";
export { measureMemorisation, type Memorisation, type MemorisationOptions } from "../memorisation/memorisation.ts";
export type { Platform, RunStore } from "../experiment/ports.ts";
export { prepareExperiment, type Prepared } from "../experiment/prepare.ts";
export { runExperiment } from "../experiment/run.ts";
export { experimentJsonSchema, type ExperimentConfig } from "../settings/schema.ts";
export type { RunSummary } from "../experiment/results/summary.ts";

export { chartsOf } from "../study/charts.ts";
export { compareRuns, type Comparison } from "../study/comparison.ts";
export { costOf, figure, trajectory } from "../study/figures.ts";
export { matrixOf } from "../study/matrix.ts";
export type { StoredRun } from "../study/stored-run.ts";

export type { Answerer, AnswerOptions } from "../serving/answerer.ts";
export { openAiApp, type OpenAiAppOptions } from "../serving/openai-app.ts";
export type { Access } from "../serving/access-log.ts";

export { commonAdapter, eachAdapter, ownAdapters, type AdapterSet } from "../federation/adapter-set.ts";
export { clientMemory, type ClientMemory } from "../federation/client-memory.ts";
export { coordinate } from "../federation/coordinate.ts";
export type { CoordinatorOptions, CoordinatorStep, FederationOutcome } from "../federation/coordinator-options.ts";
export { Coordinator } from "../federation/coordinator.ts";
export type { LocalTask, LocalTrainer, TrainedClient } from "../federation/local-trainer.ts";
export { Participant } from "../federation/participant.ts";
export type { ParticipantOptions } from "../federation/participant-options.ts";
export { participate } from "../federation/participate.ts";
export { PROTOCOL } from "../federation/protocol/messages.ts";
export { awaitManifest, gatherRoster, publishManifest } from "../federation/roster.ts";
export { simulate, type SimulationOptions } from "../federation/simulate.ts";
export { coordinateExperiment, type CoordinateOptions } from "../experiment/coordinate.ts";
export { participateInExperiment, type ParticipateOptions, type Participation } from "../experiment/participate.ts";
export { evaluateModels, type EvaluationEvents, type EvaluationOptions } from "../jobs/evaluate-models.ts";
export { openFittingAdapter, type NamedModel } from "../jobs/fitting-adapter.ts";
export { generateText, type GenerateOptions } from "../jobs/generate-text.ts";
export { loadAnswerer, type LoadAnswererOptions } from "../jobs/load-answerer.ts";
export { measureRun, type RunMemorisationOptions, type TrainedRun } from "../jobs/measure-run.ts";
export { scoreFile, type FileScore, type RecordScore, type ScoreOptions } from "../jobs/score-file.ts";
