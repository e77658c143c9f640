import { backward } from "../graph/backward.ts";
import { product, type Dim } from "../graph/dims.ts";
import { GraphBuilder, type Graph } from "../graph/graph.ts";
import type { Value } from "../graph/value.ts";
import type { ModelConfig } from "./config.ts";
import { joinedProjections, joinedRank, joins, type JoinedModules } from "./joined-adapter.ts";
import { loraNames, type LoraShape } from "./lora.ts";

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
  /**
   * float32 [2·layers·batch, key heads, length, head dimension]: keys and values of the new positions, in the order of
   * `cacheNames`.
   */
  fresh: "fresh",
} as const;

/** A layer's cached keys and values [batch, key heads, places, head dimension] are fed under these names. */
export function cacheNames(layer: number): string[] {
  return ["keys", "values"].map((kind) => `cached:${layer}:${kind}`);
}

export const dropoutFeed = (module: string): string => `dropout:${module}`;
export const gradientFetch = (parameter: string): string => `gradient:${parameter}`;

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
 * runs of this one graph. `FEEDS.starts` and `cacheNames` are fed beside ids and rows, and the adapter as `joinAdapter`
 * makes it; positions count on from `starts`. A step of one token is bound by reading the weights and by the number of
 * nodes, so nodes are joined where training keeps them apart.
 */
export function decodingGraph(
  config: ModelConfig,
  lora: LoraShape | undefined,
  { maxLength }: { readonly maxLength: number },
): Graph {
  const model = new LanguageModel(config, lora, { maxLength, cached: true });
  model.builder.output(FETCHES.logits, model.logits());
  model.builder.output(FETCHES.fresh, model.builder.op("joinRows", model.fresh, {}));
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
  /** With a cache: keys and values of the new positions, in the order of `cacheNames`. */
  readonly fresh: Value[] = [];

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
    const { hiddenSize, intermediateSize, outputBias, mlpBias } = this.#config;
    const prefix = `model.layers.${layer}`;
    const attention = `${prefix}.self_attn`;
    const h = this.#norm(x, `${prefix}.input_layernorm`);
    let o = this.#starts === undefined ? this.#attend(h, layer) : this.#attendCached(h, layer, this.#starts);
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

  /** Causal attention within each sequence: [tokens, hidden] → [tokens, heads·d]. */
  #attend(h: Value, layer: number): Value {
    const { heads, kvHeads, headDim, qkvBias, slidingWindow } = this.#config;
    const attention = `model.layers.${layer}.self_attn`;
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
    return this.builder.op("reshape", [mixed], { shape: ["batch*length", heads * headDim] });
  }

  /** The same with the cache's positions before each sequence, and in as few nodes as will do. */
  #attendCached(h: Value, layer: number, starts: Value): Value {
    const { builder } = this;
    const { kvHeads, headDim, qkvBias, qkNorm, slidingWindow } = this.#config;
    const attention = `model.layers.${layer}.self_attn`;
    const [q, k, v] = this.#projectedHeads(h, joinedProjections(this.#config, layer), qkvBias);
    const rotate = (x: Value, norm: string): Value => {
      if (qkNorm) {
        const perHead = builder.op("reshape", [x], { shape: [product(x.shape.slice(0, 3)), headDim] });
        x = builder.op("reshape", [this.#norm(perHead, `${attention}.${norm}`)], { shape: x.shape });
      }
      return builder.op("rotateHeads", [x, this.#cos, this.#sin, starts], {});
    };
    const fresh = [rotate(k!, "k_norm"), v!];
    this.fresh.push(...fresh);
    const cached = cacheNames(layer).map((name) =>
      builder.input(name, "float32", ["batch", kvHeads, "places", headDim]),
    );
    const window = slidingWindow[layer];
    return builder.op(
      "cachedAttention",
      [rotate(q!, "q_norm"), ...fresh, ...cached, starts],
      window === undefined ? {} : { window },
    );
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
    return this.builder.op("rotary", [this.#sequence(x, heads * headDim), this.#cos, this.#sin], { heads });
  }

  #sequence(x: Value, width: number): Value {
    return this.builder.op("reshape", [x], { shape: ["batch", "length", width] });
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
    return lora?.modules.has(module) ? this.#adapted(x, y, module, lora) : y;
  }

  /** y + scale·(dropout(x)·Aᵀ)·Bᵀ. */
  #adapted(x: Value, y: Value, module: string, { rank, scale }: Pick<LoraShape, "rank" | "scale">): Value {
    const { builder } = this;
    const names = loraNames(module);
    const a = this.#trainable(names.a, [rank, x.shape[1]!]);
    const b = this.#trainable(names.b, [y.shape[1]!, rank]);
    const mask = this.#dropout ? builder.input(dropoutFeed(module), "float32", x.shape) : undefined;
    const dropped = mask === undefined ? x : builder.op("multiply", [x, mask], {});
    const low = builder.op("gemm", [dropped, a], { transB: true });
    return builder.op("gemm", [low, b, y], { transB: true, alpha: scale });
  }

  /** Each module's [batch, heads, length, d]. */
  #projectedHeads(h: Value, group: JoinedModules, bias: boolean): readonly Value[] {
    const split = (x: Value, outs: readonly number[]): readonly Value[] => {
      const counts = outs.map((out) => out / this.#config.headDim);
      return this.builder.apply("splitHeads", [x], { counts, batch: "batch", length: "length" });
    };
    if (!joins(group, this.#lora))
      return group.modules.flatMap(({ module, out }) => split(this.#linear(h, module, out, bias), [out]));
    return split(
      this.#joinedLinear(h, group, bias),
      group.modules.map(({ out }) => out),
    );
  }

  /** Several linear layers of one input, their columns side by side. */
  #joinedLinear(x: Value, group: JoinedModules, bias: boolean): Value {
    const { builder } = this;
    const width = x.shape[1] as number;
    const join = (parts: readonly Value[]): Value => builder.op("joinRows", parts, {});
    const weights = group.modules.map(({ module, out }) => builder.parameter(`${module}.weight`, [out, width]));
    const biases = bias ? group.modules.map(({ module, out }) => builder.parameter(`${module}.bias`, [out])) : [];
    const addends = biases.length === 0 ? [] : [join(biases)];
    const y = builder.op("gemm", [x, join(weights), ...addends], { transB: true });
    const rank = joinedRank(group, this.#lora);
    if (rank === 0) return y;
    return this.#adapted(x, y, group.name, { rank, scale: this.#lora!.scale });
  }

  #trainable(name: string, shape: readonly Dim[]): Value {
    const value = this.builder.input(name, "float32", shape);
    this.adapter.set(name, value);
    return value;
  }
}
