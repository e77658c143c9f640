import { backward } from "../graph/backward.ts";
import type { Graph, GraphBuilder } from "../graph/graph.ts";
import type { Value } from "../graph/value.ts";
import type { ModelConfig } from "./config.ts";
import { familyOf } from "./families/registry.ts";
import { EXPORTED, FEEDS, FETCHES, gradientFetch } from "./feeds.ts";
import type { LoraShape } from "./lora.ts";
import { ModelGraph, type ModelGraphOptions } from "./model-graph.ts";
import { sequenceGradients } from "./sequence-gradients.ts";

interface TrainingGraphOptions extends Pick<ModelGraphOptions, "maxLength" | "dropout"> {
  /** Appends the loss, a scalar, of the labels' log-probabilities [rows]. */
  readonly loss: (builder: GraphBuilder, logProbabilities: Value) => Value;
}

/** Makes the graph of the loss and of the gradient of every LoRA tensor: `FETCHES.loss`, `gradientFetch(name)`. */
export function trainingGraph(model: ModelConfig, lora: LoraShape, options: TrainingGraphOptions): Graph {
  const { graph, logProbabilities, loss } = graphToLoss(model, lora, options);
  const { builder } = graph;
  const trainable = [...graph.adapter.values()];
  const gradients = backward(builder, loss, trainable);
  builder.output(FETCHES.loss, loss);
  builder.output(FETCHES.logProbabilities, logProbabilities);
  trainable.forEach((value, i) => builder.output(gradientFetch(value.name), gradients[i]!));
  return builder.build();
}

/** Makes the graph of the gradients of each sequence by itself: `gradientFetch(name)` is [batch, ...shape of the tensor]. */
export function recordGradientGraph(model: ModelConfig, lora: LoraShape, options: TrainingGraphOptions): Graph {
  const { graph, loss } = graphToLoss(model, lora, options);
  for (const [name, gradient] of sequenceGradients(graph, loss)) graph.builder.output(gradientFetch(name), gradient);
  return graph.builder.build();
}

/** Begins a graph for training: the log-probabilities of labels and their loss, without outputs. */
function graphToLoss(
  model: ModelConfig,
  lora: LoraShape,
  { loss, ...options }: TrainingGraphOptions,
): { readonly graph: ModelGraph; readonly logProbabilities: Value; readonly loss: Value } {
  const graph = new ModelGraph(lora, options);
  const logProbabilities = logProbabilitiesOf(graph, model);
  return { graph, logProbabilities, loss: loss(graph.builder, logProbabilities) };
}

/** Makes the graph of the log-probabilities of labels at chosen rows; with `lora`, of the adapted model. */
export function scoringGraph(
  model: ModelConfig,
  lora: LoraShape | undefined,
  { maxLength }: Pick<ModelGraphOptions, "maxLength">,
): Graph {
  const graph = new ModelGraph(lora, { maxLength });
  graph.builder.output(FETCHES.logProbabilities, logProbabilitiesOf(graph, model));
  return graph.builder.build();
}

/**
 * Makes the graph of the logits of chosen rows, with the keys and values of earlier positions in a cache. A prompt and each
 * token after it are runs of this one graph. Its inputs are ids and rows, `FEEDS.starts`, `cacheNames` and the adapter as
 * `joinAdapter` makes it. Positions count from `starts`. The time of a step of one token is that of reading the weights and
 * of the number of nodes, so nodes are joined that training keeps apart.
 */
export function decodingGraph(
  model: ModelConfig,
  lora: LoraShape | undefined,
  { maxLength }: Pick<ModelGraphOptions, "maxLength">,
): Graph {
  const graph = new ModelGraph(lora, { maxLength, cached: true });
  const { builder } = graph;
  builder.output(FETCHES.logits, logits(graph, model));
  builder.output(FETCHES.fresh, builder.op("joinRows", graph.fresh, {}));
  return builder.build();
}

/**
 * Makes the graph of a model, adapter merged in, as transformers.js and Optimum run it: the inputs and outputs of `EXPORTED`,
 * in operations of the ONNX standard alone.
 */
export function exportedGraph(model: ModelConfig): Graph {
  const graph = new ModelGraph(undefined, { maxLength: model.maxPositions, exported: true });
  const { builder } = graph;
  const shape = ["batch", "length", model.vocabSize];
  builder.output(EXPORTED.logits, builder.op("reshape", [logits(graph, model)], { shape }));
  for (let layer = 0; layer < model.layers; layer++) {
    EXPORTED.present(layer).forEach((name, i) => builder.output(name, graph.fresh[2 * layer + i]!));
  }
  return builder.build();
}

/** [rows] */
function logProbabilitiesOf(graph: ModelGraph, model: ModelConfig): Value {
  const labels = graph.builder.input(FEEDS.labels, "int64", ["rows"]);
  return graph.builder.op("logProbabilities", [logits(graph, model), labels], {});
}

/** [rows, vocabulary] */
function logits(graph: ModelGraph, model: ModelConfig): Value {
  const family = familyOf(model);
  let x = family.embed(graph, model);
  for (let layer = 0; layer < model.layers; layer++) x = family.layer(graph, model, x, layer);
  return family.head(graph, model, x);
}
