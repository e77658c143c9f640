import { backward } from "../graph/backward.ts";
import { GraphBuilder, type Graph, type Value } from "../graph/graph.ts";
import type { ModelConfig } from "./config.ts";

/** The part of an adapter's configuration that shapes a graph. */
export interface LoraShape {
  readonly rank: number;
  /** Factor of B·A·x: alpha/rank, or alpha/√rank with rsLoRA. */
  readonly scale: number;
  /** Full names of the adapted linear modules. */
  readonly modules: ReadonlySet<string>;
}

/** Names under which the graphs below are fed and fetched. A training graph's loss has inputs of its own besides. */
export const FEEDS = {
  /** int64 [batch, length], padded on the right with anything. */
  ids: "ids",
  /** int64 [rows]: positions in the flattened batch whose next token is predicted. */
  rows: "rows",
  /** int64 [rows]: the tokens that came next. */
  labels: "labels",
} as const;

export const FETCHES = {
  /** float32 []: what the objective makes of the log-probabilities. */
  loss: "loss",
  /** float32 [rows]: log-probability of each label. */
  logProbabilities: "logProbabilities",
  /** float32 [rows, vocabulary]. */
  logits: "logits",
} as const;

export const dropoutFeed = (module: string): string => `dropout:${module}`;
export const gradientFetch = (parameter: string): string => `gradient:${parameter}`;

/** PEFT's names of a module's two LoRA tensors: A [rank, in] and B [out, rank]. */
export function loraNames(module: string): { a: string; b: string } {
  return { a: `base_model.model.${module}.lora_A.weight`, b: `base_model.model.${module}.lora_B.weight` };
}

interface TrainingGraphOptions {
  /** Longest sequence, in tokens. */
  readonly maxLength: number;
  /** Whether every adapted module gets a dropout mask, fed as `dropoutFeed(module)` [tokens, in]. */
  readonly dropout: boolean;
  /** Appends the loss, a scalar, of the labels' log-probabilities [rows]. */
  readonly loss: (builder: GraphBuilder, logProbabilities: Value) => Value;
}

/** Loss and the gradient of every LoRA tensor. Fetch `FETCHES.loss`, `gradientFetch(name)`. */
export function trainingGraph(
  config: ModelConfig,
  lora: LoraShape,
  { maxLength, dropout, loss: lossOf }: TrainingGraphOptions,
): Graph {
  const model = new LanguageModel(config, lora, maxLength, dropout);
  const { logProbabilities } = model.forward();
  const { builder } = model;
  const loss = lossOf(builder, logProbabilities);
  const trainable = [...model.adapter.values()];
  const gradients = backward(builder, loss, trainable);
  builder.output(FETCHES.loss, loss);
  builder.output(FETCHES.logProbabilities, logProbabilities);
  trainable.forEach((value, i) => builder.output(gradientFetch(value.name), gradients[i]!));
  return builder.build();
}

/** Logits and label log-probabilities of chosen rows; with `lora`, of the adapted model. For scoring and generation. */
export function scoringGraph(
  config: ModelConfig,
  lora: LoraShape | undefined,
  { maxLength }: { readonly maxLength: number },
): Graph {
  const model = new LanguageModel(config, lora, maxLength, false);
  const { logits, logProbabilities } = model.forward();
  model.builder.output(FETCHES.logits, logits);
  model.builder.output(FETCHES.logProbabilities, logProbabilities);
  return model.builder.build();
}

/**
 * A LLaMA-family decoder as graph nodes. Activations are matrices of one row a token. `residual` arguments are added by
 * the matrix product itself.
 */
class LanguageModel {
  readonly builder: GraphBuilder = new GraphBuilder();
  /** The LoRA tensors, by PEFT name. */
  readonly adapter = new Map<string, Value>();
  readonly #config: ModelConfig;
  readonly #lora: LoraShape | undefined;
  readonly #dropout: boolean;
  readonly #cos: Value;
  readonly #sin: Value;

  constructor(config: ModelConfig, lora: LoraShape | undefined, maxLength: number, dropout: boolean) {
    this.#config = config;
    this.#lora = lora;
    this.#dropout = dropout;
    const frequencies = config.rotary.inverseFrequencies;
    const table = (f: (angle: number) => number): Float32Array =>
      Float32Array.from({ length: maxLength * frequencies.length }, (_, i) =>
        // Angles in float32, as the reference implementation has them.
        f(Math.fround(Math.floor(i / frequencies.length) * Math.fround(frequencies[i % frequencies.length]!))),
      );
    this.#cos = this.builder.constant("rotary.cos", table(Math.cos), [maxLength, frequencies.length]);
    this.#sin = this.builder.constant("rotary.sin", table(Math.sin), [maxLength, frequencies.length]);
  }

  forward(): { logits: Value; logProbabilities: Value } {
    const { builder } = this;
    const { vocabSize, hiddenSize, layers, tiedHead } = this.#config;
    const ids = builder.input(FEEDS.ids, "int64", ["batch", "length"]);
    const rows = builder.input(FEEDS.rows, "int64", ["rows"]);
    const labels = builder.input(FEEDS.labels, "int64", ["rows"]);
    const embedding = builder.parameter("model.embed_tokens.weight", [vocabSize, hiddenSize]);
    let x = builder.op("gatherRows", [embedding, ids], {});
    for (let layer = 0; layer < layers; layer++) x = this.#layer(x, layer, layer === layers - 1 ? rows : undefined);
    const head = tiedHead ? embedding : builder.parameter("lm_head.weight", [vocabSize, hiddenSize]);
    const logits = builder.op("gemm", [this.#norm(x, "model.norm"), head], { transB: true });
    return { logits, logProbabilities: builder.op("logProbabilities", [logits, labels], {}) };
  }

  /**
   * With `rows` (the last layer), everything after attention is done for those rows only: no other position of the last
   * layer reaches the loss.
   */
  #layer(x: Value, layer: number, rows: Value | undefined): Value {
    const { heads, kvHeads, headDim, qkvBias, outputBias, mlpBias, slidingWindow } = this.#config;
    const { hiddenSize, intermediateSize } = this.#config;
    const prefix = `model.layers.${layer}`;
    const attention = `${prefix}.self_attn`;
    const h = this.#norm(x, `${prefix}.input_layernorm`);
    const q = this.#linear(h, `${attention}.q_proj`, heads * headDim, qkvBias);
    const k = this.#linear(h, `${attention}.k_proj`, kvHeads * headDim, qkvBias);
    const v = this.#linear(h, `${attention}.v_proj`, kvHeads * headDim, qkvBias);
    const window = slidingWindow[layer];
    const mixed = this.builder.op(
      "attention",
      [
        this.#rotate(q, `${attention}.q_norm`, heads),
        this.#rotate(k, `${attention}.k_norm`, kvHeads),
        this.#sequence(v, kvHeads * headDim),
      ],
      { heads, kvHeads, ...(window === undefined ? {} : { window }) },
    );
    let o = this.#tokens(mixed, heads * headDim);
    if (rows !== undefined) {
      o = this.builder.op("gatherRows", [o, rows], {});
      x = this.builder.op("gatherRows", [x, rows], {});
    }
    const y = this.#linear(o, `${attention}.o_proj`, hiddenSize, outputBias, x);
    const g = this.#norm(y, `${prefix}.post_attention_layernorm`);
    const gate = this.#linear(g, `${prefix}.mlp.gate_proj`, intermediateSize, mlpBias);
    const up = this.#linear(g, `${prefix}.mlp.up_proj`, intermediateSize, mlpBias);
    return this.#linear(this.builder.op("swiglu", [gate, up], {}), `${prefix}.mlp.down_proj`, hiddenSize, mlpBias, y);
  }

  #norm(x: Value, name: string): Value {
    const weight = this.builder.parameter(`${name}.weight`, [x.shape[1] as number]);
    return this.builder.op("rmsNorm", [x, weight], { epsilon: this.#config.normEpsilon });
  }

  #rotate(x: Value, norm: string, heads: number): Value {
    const { headDim, qkNorm } = this.#config;
    if (qkNorm) {
      const perHead = this.builder.op("reshape", [x], { shape: [`${heads}*batch*length`, headDim] });
      x = this.builder.op("reshape", [this.#norm(perHead, norm)], { shape: x.shape });
    }
    return this.builder.op("rotary", [this.#sequence(x, heads * headDim), this.#cos, this.#sin], { heads });
  }

  #sequence(x: Value, width: number): Value {
    return this.builder.op("reshape", [x], { shape: ["batch", "length", width] });
  }

  #tokens(x: Value, width: number): Value {
    return this.builder.op("reshape", [x], { shape: ["batch*length", width] });
  }

  /** x·Wᵀ + bias + scale·(dropout(x)·Aᵀ)·Bᵀ + residual, with the last three where there are any. */
  #linear(x: Value, module: string, out: number, bias: boolean, residual?: Value): Value {
    const { builder } = this;
    const width = x.shape[1] as number;
    const weight = builder.parameter(`${module}.weight`, [out, width]);
    const addends = [
      ...(bias ? [builder.parameter(`${module}.bias`, [out])] : []),
      ...(residual === undefined ? [] : [residual]),
    ];
    let y = builder.op("gemm", [x, weight, ...addends.slice(0, 1)], { transB: true });
    if (addends.length === 2) y = builder.op("add", [y, residual!], {});
    const lora = this.#lora;
    if (lora?.modules.has(module)) {
      const names = loraNames(module);
      const a = this.#trainable(names.a, [lora.rank, width]);
      const b = this.#trainable(names.b, [out, lora.rank]);
      const mask = this.#dropout ? builder.input(dropoutFeed(module), "float32", x.shape) : undefined;
      const dropped = mask === undefined ? x : builder.op("multiply", [x, mask], {});
      const low = builder.op("gemm", [dropped, a], { transB: true });
      y = builder.op("gemm", [low, b, y], { transB: true, alpha: lora.scale });
    }
    return y;
  }

  #trainable(name: string, shape: readonly number[]): Value {
    const value = this.builder.input(name, "float32", shape);
    this.adapter.set(name, value);
    return value;
  }
}
