import type { Value } from "../graph/value.ts";
import { selfAttention } from "./blocks-attention.ts";
import { embeddingTensors, languageModelHead, tokenEmbedding } from "./blocks-embedding.ts";
import { linear } from "./blocks-linear.ts";
import { type GatedActivation, type GatedMlp, gatedMlp, swiglu } from "./blocks-mlp.ts";
import { type Norm, rmsNorm } from "./blocks-norm.ts";
import type { ConfigFields } from "./config-fields.ts";
import type { ModelConfig } from "./config.ts";
import type { LinearModule, ModelFamily } from "./family.ts";
import { parseRotary, type RotaryConfig } from "./rotary.ts";

/** A decoder with the layers x + attention(norm(x)) and then x + mlp(norm(x)), rotary positions and a gated MLP. */
export interface PreNormConfig extends ModelConfig {
  readonly normEpsilon: number;
  readonly rotary: RotaryConfig;
  /** True: the LM head is the embedding table. */
  readonly tiedHead: boolean;
  /** Biases of q, k and v, of o, and of the MLP's three linear layers. */
  readonly qkvBias: boolean;
  readonly outputBias: boolean;
  readonly mlpBias: boolean;
  /** Norms of each head of q and k. */
  readonly qkNorm: boolean;
  /** For each layer, the number of latest positions that a query attends to, its own included; undefined: all. */
  readonly slidingWindow: readonly (number | undefined)[];
}

/** The defaults of transformers for keys that `config.json` does not have. */
export interface PreNormDefaults {
  /** undefined: as many as heads. */
  readonly kvHeads?: number;
  /** undefined: hidden size / heads. */
  readonly headDim?: number;
  readonly maxPositions: number;
  readonly bosTokenId: number | null;
  readonly eosTokenId: number | null;
  readonly tiedHead?: boolean;
}

/** Far more than any model has. The tensors of each layer are listed before the first file of weights is opened. */
const MOST_LAYERS = 10_000;

/** Reads the part of the configuration that all pre-norm families share. The five sizes of every model must be there. */
export function parsePreNorm(
  fields: ConfigFields,
  family: string,
  defaults: PreNormDefaults,
): Omit<PreNormConfig, "qkvBias" | "outputBias" | "mlpBias" | "qkNorm" | "slidingWindow"> {
  const { json } = fields;
  const hiddenSize = fields.count("hidden_size");
  const layers = fields.count("num_hidden_layers", undefined, MOST_LAYERS);
  const heads = fields.count("num_attention_heads");
  const kvHeads =
    json["num_key_value_heads"] === null ? heads : fields.count("num_key_value_heads", defaults.kvHeads ?? heads);
  if (heads % kvHeads !== 0) throw fields.fail("num_key_value_heads", `a divisor of num_attention_heads (${heads})`);
  const derived = json["head_dim"] === null || defaults.headDim === undefined ? hiddenSize / heads : defaults.headDim;
  if (!fields.has("head_dim") && !Number.isInteger(derived)) {
    throw fields.fail("hidden_size", `a multiple of num_attention_heads (${heads})`);
  }
  const headDim = fields.count("head_dim", derived);
  if (headDim % 2 !== 0) throw fields.fail("head_dim", "an even number");
  const maxPositions = fields.count("max_position_embeddings", defaults.maxPositions);
  return {
    family,
    vocabSize: fields.count("vocab_size"),
    hiddenSize,
    intermediateSize: fields.count("intermediate_size"),
    layers,
    heads,
    kvHeads,
    headDim,
    normEpsilon: fields.positive("rms_norm_eps", 1e-6),
    maxPositions,
    rotary: parseRotary(json, headDim, maxPositions, fields.where),
    tiedHead: fields.flag("tie_word_embeddings", defaults.tiedHead),
    bosTokenId: fields.tokens("bos_token_id", defaults.bosTokenId)[0],
    eosTokenIds: fields.tokens("eos_token_id", defaults.eosTokenId),
  };
}

interface LayerModules extends Pick<GatedMlp, "gate" | "up" | "down"> {
  readonly q: LinearModule;
  readonly k: LinearModule;
  readonly v: LinearModule;
  readonly o: LinearModule;
}

function modulesOf(config: PreNormConfig, layer: number): LayerModules {
  const { hiddenSize, intermediateSize, heads, kvHeads, headDim, qkvBias, outputBias, mlpBias } = config;
  const prefix = `model.layers.${layer}`;
  const projection = (name: string, count: number): LinearModule => ({
    name: `${prefix}.self_attn.${name}`,
    in: hiddenSize,
    out: count * headDim,
    bias: qkvBias,
    joinedAs: `${prefix}.self_attn.qkv_proj`,
  });
  const mlp = (name: string, width: number, out: number): LinearModule => ({
    name: `${prefix}.mlp.${name}`,
    in: width,
    out,
    bias: mlpBias,
  });
  return {
    q: projection("q_proj", heads),
    k: projection("k_proj", kvHeads),
    v: projection("v_proj", kvHeads),
    o: { name: `${prefix}.self_attn.o_proj`, in: heads * headDim, out: hiddenSize, bias: outputBias },
    gate: mlp("gate_proj", hiddenSize, intermediateSize),
    up: mlp("up_proj", hiddenSize, intermediateSize),
    down: mlp("down_proj", intermediateSize, hiddenSize),
  };
}

function tensorsOf(config: PreNormConfig): ReadonlyMap<string, readonly number[]> {
  const { hiddenSize, headDim, layers, qkNorm } = config;
  const { embedding, head } = embeddingTensors(config);
  const shapes = new Map<string, readonly number[]>([embedding]);
  for (let layer = 0; layer < layers; layer++) {
    const prefix = `model.layers.${layer}`;
    shapes.set(`${prefix}.input_layernorm.weight`, [hiddenSize]);
    for (const { name, in: width, out, bias } of Object.values(modulesOf(config, layer)) as LinearModule[]) {
      shapes.set(`${name}.weight`, [out, width]);
      if (bias) shapes.set(`${name}.bias`, [out]);
    }
    if (qkNorm) for (const of of ["q", "k"]) shapes.set(`${prefix}.self_attn.${of}_norm.weight`, [headDim]);
    shapes.set(`${prefix}.post_attention_layernorm.weight`, [hiddenSize]);
  }
  shapes.set("model.norm.weight", [hiddenSize]);
  for (const [name, shape] of head) shapes.set(name, shape);
  return shapes;
}

/** Parts in which families of pre-norm decoders differ. */
export interface PreNormParts {
  readonly norm?: Norm;
  readonly activation?: GatedActivation;
  /** Factor of the embeddings. */
  readonly embeddingScale?: (config: PreNormConfig) => number;
}

/** Tensors, linear layers and graph of a pre-norm decoder. A family adds its names and how it reads `config.json`. */
export function preNormDecoder({ norm = rmsNorm, activation = swiglu, embeddingScale }: PreNormParts = {}): Omit<
  ModelFamily<PreNormConfig>,
  "modelType" | "title" | "parse" | "gguf"
> {
  return {
    linears: (config) =>
      Array.from(
        { length: config.layers },
        (_, layer) => Object.values(modulesOf(config, layer)) as LinearModule[],
      ).flat(),
    tensors: tensorsOf,
    embed(graph, config) {
      const x = tokenEmbedding(graph, config);
      if (embeddingScale === undefined) return x;
      const factor = graph.constant("embedding.scale", [], () => Float32Array.of(embeddingScale(config)));
      return graph.builder.op("scaleBy", [x, factor], {});
    },
    layer(graph, config, x, layer) {
      const { heads, kvHeads, headDim, normEpsilon, rotary, slidingWindow } = config;
      const prefix = `model.layers.${layer}`;
      const { q, k, v, o, ...mlp } = modulesOf(config, layer);
      const normalized = (y: Value, name: string): Value => norm(graph, y, `${prefix}.${name}`, normEpsilon);
      let mixed = selfAttention(graph, normalized(x, "input_layernorm"), {
        layer,
        q,
        k,
        v,
        heads,
        kvHeads,
        headDim,
        rotary,
        window: slidingWindow[layer],
        headNorm: config.qkNorm ? (y, of) => normalized(y, `self_attn.${of}_norm`) : undefined,
      });
      // After the last layer's attention no other position reaches the logits.
      if (layer === config.layers - 1) [mixed, x] = graph.chosenRows(mixed, x) as [Value, Value];
      const y = linear(graph, mixed, o, x);
      return gatedMlp(graph, normalized(y, "post_attention_layernorm"), { ...mlp, activation }, y);
    },
    head: (graph, config, x) =>
      languageModelHead(graph, config, () => norm(graph, x, "model.norm", config.normEpsilon)),
  };
}
