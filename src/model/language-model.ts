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
  /** int64 [batch]: how many positions of each row the cache holds. */
  starts: "starts",
} as const;

export const FETCHES = {
  /** float32 []: what the objective makes of the log-probabilities. */
  loss: "loss",
  /** float32 [rows]: log-probability of each label. */
  logProbabilities: "logProbabilities",
  /** float32 [rows, vocabulary]. */
  logits: "logits",
} as const;

/**
 * A layer's cached keys and values [batch, key heads, places, head dimension] are fed, those of the new positions [batch,
 * key heads, length, head dimension] are fetched, under these names.
 */
export function cacheNames(layer: number): { fed: string; fetched: string }[] {
  return ["keys", "values"].map((kind) => ({ fed: `cached:${layer}:${kind}`, fetched: `new:${layer}:${kind}` }));
}

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
  const model = new LanguageModel(config, lora, { maxLength, dropout });
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

/** Log-probabilities of labels at chosen rows; with `lora`, of the adapted model. */
export function scoringGraph(
  config: ModelConfig,
  lora: LoraShape | undefined,
  { maxLength }: { readonly maxLength: number },
): Graph {
  const model = new LanguageModel(config, lora, { maxLength });
  model.builder.output(FETCHES.logProbabilities, model.forward().logProbabilities);
  return model.builder.build();
}

/**
 * Logits of chosen rows with the keys and values of earlier positions in a cache: a prompt and each token after it are
 * runs of this one graph. `FEEDS.starts` and `cacheNames` are fed beside ids and rows; positions count on from `starts`.
 */
export function decodingGraph(
  config: ModelConfig,
  lora: LoraShape | undefined,
  { maxLength }: { readonly maxLength: number },
): Graph {
  const model = new LanguageModel(config, lora, { maxLength, cached: true });
  model.builder.output(FETCHES.logits, model.logits());
  for (const [name, value] of model.fresh) model.builder.output(name, value);
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
  readonly #ids: Value;
  readonly #rows: Value;
  /** With a cache: how many positions of each row it holds. */
  readonly #starts: Value | undefined;
  /** With a cache: keys and values of the new positions, by name. */
  readonly fresh = new Map<string, Value>();

  constructor(
    config: ModelConfig,
    lora: LoraShape | undefined,
    { maxLength, dropout = false, cached = false }: { maxLength: number; dropout?: boolean; cached?: boolean },
  ) {
    this.#config = config;
    this.#lora = lora;
    this.#dropout = dropout;
    this.#ids = this.builder.input(FEEDS.ids, "int64", ["batch", "length"]);
    this.#rows = this.builder.input(FEEDS.rows, "int64", ["rows"]);
    this.#starts = cached ? this.builder.input(FEEDS.starts, "int64", ["batch"]) : undefined;
    const frequencies = config.rotary.inverseFrequencies;
    const table = (f: (angle: number) => number): Float32Array =>
      Float32Array.from({ length: maxLength * frequencies.length }, (_, i) =>
        // Angles in float32, as the reference implementation has them.
        f(Math.fround(Math.floor(i / frequencies.length) * Math.fround(frequencies[i % frequencies.length]!))),
      );
    this.#cos = this.builder.constant("rotary.cos", table(Math.cos), [maxLength, frequencies.length]);
    this.#sin = this.builder.constant("rotary.sin", table(Math.sin), [maxLength, frequencies.length]);
  }

  forward(): { logProbabilities: Value } {
    const labels = this.builder.input(FEEDS.labels, "int64", ["rows"]);
    return { logProbabilities: this.builder.op("logProbabilities", [this.logits(), labels], {}) };
  }

  /** [rows, vocabulary]. */
  logits(): Value {
    const { builder } = this;
    const { vocabSize, hiddenSize, layers, tiedHead } = this.#config;
    const embedding = builder.parameter("model.embed_tokens.weight", [vocabSize, hiddenSize]);
    let x = builder.op("gatherRows", [embedding, this.#ids], {});
    for (let layer = 0; layer < layers; layer++) x = this.#layer(x, layer, layer === layers - 1);
    const head = tiedHead ? embedding : builder.parameter("lm_head.weight", [vocabSize, hiddenSize]);
    return builder.op("gemm", [this.#norm(x, "model.norm"), head], { transB: true });
  }

  /**
   * In the last layer everything after attention is done for the chosen rows only: no other position of it reaches the
   * logits.
   */
  #layer(x: Value, layer: number, last: boolean): Value {
    const { heads, kvHeads, headDim, qkvBias, outputBias, mlpBias } = this.#config;
    const { hiddenSize, intermediateSize } = this.#config;
    const prefix = `model.layers.${layer}`;
    const attention = `${prefix}.self_attn`;
    const h = this.#norm(x, `${prefix}.input_layernorm`);
    const q = this.#linear(h, `${attention}.q_proj`, heads * headDim, qkvBias);
    const k = this.#linear(h, `${attention}.k_proj`, kvHeads * headDim, qkvBias);
    const v = this.#linear(h, `${attention}.v_proj`, kvHeads * headDim, qkvBias);
    const mixed = this.#attend(layer, [
      this.#rotate(q, `${attention}.q_norm`, heads),
      this.#rotate(k, `${attention}.k_norm`, kvHeads),
      this.#sequence(v, kvHeads * headDim),
    ]);
    let o = this.#tokens(mixed, heads * headDim);
    if (last) {
      o = this.builder.op("gatherRows", [o, this.#rows], {});
      x = this.builder.op("gatherRows", [x, this.#rows], {});
    }
    const y = this.#linear(o, `${attention}.o_proj`, hiddenSize, outputBias, x);
    const g = this.#norm(y, `${prefix}.post_attention_layernorm`);
    const gate = this.#linear(g, `${prefix}.mlp.gate_proj`, intermediateSize, mlpBias);
    const up = this.#linear(g, `${prefix}.mlp.up_proj`, intermediateSize, mlpBias);
    return this.#linear(this.builder.op("swiglu", [gate, up], {}), `${prefix}.mlp.down_proj`, hiddenSize, mlpBias, y);
  }

  #attend(layer: number, inputs: readonly Value[]): Value {
    const { heads, kvHeads, headDim, slidingWindow } = this.#config;
    const window = slidingWindow[layer];
    const attributes = { heads, kvHeads, ...(window === undefined ? {} : { window }) };
    if (this.#starts === undefined) return this.builder.op("attention", inputs, attributes);
    const names = cacheNames(layer);
    const cached = names.map(({ fed }) => this.builder.input(fed, "float32", ["batch", kvHeads, "places", headDim]));
    const [mixed, ...fresh] = this.builder.apply("cachedAttention", [...inputs, ...cached, this.#starts], attributes);
    names.forEach(({ fetched }, i) => this.fresh.set(fetched, fresh[i]!));
    return mixed!;
  }

  #norm(x: Value, name: string): Value {
    const weight = this.builder.parameter(`${name}.weight`, [x.shape[1] as number]);
    const epsilon = this.#config.normEpsilon;
    const forwardOnly = this.#starts !== undefined;
    return this.builder.op("rmsNorm", [x, weight], { epsilon, ...(forwardOnly ? { forwardOnly } : {}) });
  }

  #rotate(x: Value, norm: string, heads: number): Value {
    const { headDim, qkNorm } = this.#config;
    if (qkNorm) {
      const perHead = this.builder.op("reshape", [x], { shape: [`${heads}*batch*length`, headDim] });
      x = this.builder.op("reshape", [this.#norm(perHead, norm)], { shape: x.shape });
    }
    return this.builder.op(
      "rotary",
      [this.#sequence(x, heads * headDim), this.#cos, this.#sin, ...(this.#starts === undefined ? [] : [this.#starts])],
      { heads },
    );
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
