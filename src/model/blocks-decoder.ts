import type { Value } from "../graph/value.ts";
import { selfAttention } from "./blocks-attention.ts";
import { embeddingTensors, languageModelHead, tokenEmbedding } from "./blocks-embedding.ts";
import { linear } from "./blocks-linear.ts";
import { type GatedActivation, gatedMlp, swiglu } from "./blocks-mlp.ts";
import { type Norm, rmsNorm } from "./blocks-norm.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import type { LinearModule, ModelFamily } from "./family.ts";
import type { ModelGraph } from "./model-graph.ts";
import { EMBEDDING } from "./own-head.ts";

/** The norms of a layer, by name; absent: there is none. A norm before normalises the input, one after what is added to it. */
interface LayerNorms {
  readonly beforeAttention?: string;
  readonly afterAttention?: string;
  readonly beforeMlp?: string;
  readonly afterMlp?: string;
}

/** Parts in which the families of these decoders differ. */
export interface DecoderParts {
  readonly norm?: Norm;
  readonly activation?: GatedActivation;
  /** Factor of the embeddings. */
  readonly embeddingScale?: (config: DecoderConfig) => number;
  readonly norms?: LayerNorms;
  /** True: q, k and v are one linear layer, and so are gate and up. */
  readonly fused?: boolean;
  /** True: the norms of q and k are of all heads together, not of each head. */
  readonly qkNormOfRows?: boolean;
}

const PRE_NORMS: LayerNorms = { beforeAttention: "input_layernorm", beforeMlp: "post_attention_layernorm" };

interface LayerModules {
  readonly qkv: readonly LinearModule[];
  readonly o: LinearModule;
  readonly gateUp: readonly LinearModule[];
  readonly down: LinearModule;
}

/** @param joins whether decoding may compute q, k and v as one product. */
function modulesOf(
  config: DecoderConfig,
  layer: number,
  { fused, joins }: { readonly fused: boolean; readonly joins: boolean },
): LayerModules {
  const { hiddenSize, intermediateSize, heads, kvHeads, headDim, qkvBias, outputBias, mlpBias } = config;
  const attention = `model.layers.${layer}.self_attn`;
  const projection = (name: string, count: number, joined: object): LinearModule => ({
    name: `${attention}.${name}`,
    in: hiddenSize,
    out: count * headDim,
    bias: qkvBias,
    ...joined,
  });
  const mlp = (name: string, width: number, out: number): LinearModule => ({
    name: `model.layers.${layer}.mlp.${name}`,
    in: width,
    out,
    bias: mlpBias,
  });
  const joined = joins ? { joinedAs: `${attention}.qkv_proj` } : {};
  return {
    qkv: fused
      ? [projection("qkv_proj", heads + 2 * kvHeads, {})]
      : [
          projection("q_proj", heads, joined),
          projection("k_proj", kvHeads, joined),
          projection("v_proj", kvHeads, joined),
        ],
    o: { name: `${attention}.o_proj`, in: heads * headDim, out: hiddenSize, bias: outputBias },
    gateUp: fused
      ? [mlp("gate_up_proj", hiddenSize, 2 * intermediateSize)]
      : [mlp("gate_proj", hiddenSize, intermediateSize), mlp("up_proj", hiddenSize, intermediateSize)],
    down: mlp("down_proj", intermediateSize, hiddenSize),
  };
}

/** Linear layers, embedding, tensors and graph of such a decoder. A family adds its names and how it reads `config.json`. */
export function decoder({
  norm = rmsNorm,
  activation = swiglu,
  embeddingScale,
  norms = PRE_NORMS,
  fused = false,
  qkNormOfRows = false,
}: DecoderParts = {}): Omit<ModelFamily<DecoderConfig>, "modelType" | "title" | "parse" | "gguf"> {
  // A norm over all heads of q must see q alone.
  const shape = { fused, joins: !qkNormOfRows };
  const linearsOf = (config: DecoderConfig, layer: number): LinearModule[] => {
    const { qkv, o, gateUp, down } = modulesOf(config, layer, shape);
    return [...qkv, o, ...gateUp, down];
  };

  function tensors(config: DecoderConfig): ReadonlyMap<string, readonly number[]> {
    const { hiddenSize, heads, kvHeads, headDim, layers, qkNorm } = config;
    const { embedding, head } = embeddingTensors(config);
    const shapes = new Map<string, readonly number[]>([embedding]);
    const { beforeAttention, ...others } = norms;
    for (let layer = 0; layer < layers; layer++) {
      const prefix = `model.layers.${layer}`;
      const addNorm = (name: string, width = hiddenSize): void => void shapes.set(`${prefix}.${name}.weight`, [width]);
      if (beforeAttention !== undefined) addNorm(beforeAttention);
      for (const { name, in: width, out, bias } of linearsOf(config, layer)) {
        shapes.set(`${name}.weight`, [out, width]);
        if (bias) shapes.set(`${name}.bias`, [out]);
      }
      if (qkNorm) {
        addNorm("self_attn.q_norm", qkNormOfRows ? heads * headDim : headDim);
        addNorm("self_attn.k_norm", qkNormOfRows ? kvHeads * headDim : headDim);
      }
      for (const name of Object.values<string>(others)) addNorm(name);
    }
    shapes.set("model.norm.weight", [hiddenSize]);
    for (const [name, size] of head) shapes.set(name, size);
    return shapes;
  }

  function attentionOf(graph: ModelGraph, config: DecoderConfig, layer: number, x: Value): Value {
    const { heads, kvHeads, headDim, normEpsilon, slidingWindow, attentionScale, attentionCap } = config;
    const window = slidingWindow[layer];
    const local = window === undefined ? undefined : config.localRotary;
    const qkNorm = (y: Value, of: "q" | "k"): Value =>
      norm(graph, y, `model.layers.${layer}.self_attn.${of}_norm`, normEpsilon);
    return selfAttention(graph, x, {
      layer,
      projections: modulesOf(config, layer, shape).qkv,
      heads,
      kvHeads,
      headDim,
      scores: {
        ...(window === undefined ? {} : { window }),
        ...(attentionScale === undefined ? {} : { scale: attentionScale }),
        ...(attentionCap === undefined ? {} : { cap: attentionCap }),
      },
      rotary: config.unrotatedLayers?.includes(layer) ? undefined : (local ?? config.rotary),
      ...(local === undefined ? {} : { rotaryName: "rotary.local" }),
      headNorm: config.qkNorm && !qkNormOfRows ? qkNorm : undefined,
      rowNorm: config.qkNorm && qkNormOfRows ? qkNorm : undefined,
    });
  }

  return {
    embedding: EMBEDDING,
    linears: (config) => Array.from({ length: config.layers }, (_, layer) => linearsOf(config, layer)).flat(),
    tensors,
    embed(graph, config) {
      const x = tokenEmbedding(graph, config);
      if (embeddingScale === undefined) return x;
      const factor = graph.constant("embedding.scale", [], () => Float32Array.of(embeddingScale(config)));
      return graph.builder.op("scaleBy", [x, factor], {});
    },
    layer(graph, config, x, layer) {
      const { normEpsilon, residualFactor } = config;
      const { o, gateUp, down } = modulesOf(config, layer, shape);
      const normed = (y: Value, name: string | undefined): Value =>
        name === undefined ? y : norm(graph, y, `model.layers.${layer}.${name}`, normEpsilon);
      /** input + norm(make()), where there is such a norm; else the last product adds its input itself. */
      const added = (input: Value, after: string | undefined, make: (residual?: Value) => Value): Value =>
        after === undefined ? make(input) : graph.builder.op("add", [input, normed(make(), after)], {});
      let mixed = attentionOf(graph, config, layer, normed(x, norms.beforeAttention));
      // After the last layer's attention no other position reaches the logits.
      if (layer === config.layers - 1) [mixed, x] = graph.chosenRows(mixed, x) as [Value, Value];
      const y = added(x, norms.afterAttention, (residual) => linear(graph, mixed, o, residual, residualFactor));
      const mlpInput = normed(y, norms.beforeMlp);
      return added(y, norms.afterMlp, (residual) =>
        gatedMlp(graph, mlpInput, { gateUp, down, activation }, residual, residualFactor),
      );
    },
    head: (graph, config, x) =>
      languageModelHead(graph, config, () => norm(graph, x, "model.norm", config.normEpsilon)),
  };
}
