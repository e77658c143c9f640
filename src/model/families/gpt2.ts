import type { Value } from "../../graph/value.ts";
import { selfAttention } from "../blocks-attention.ts";
import { linear } from "../blocks-linear.ts";
import { layerNorm } from "../blocks-norm.ts";
import { type ConfigFields, MOST_LAYERS } from "../config-fields.ts";
import type { ModelConfig } from "../config.ts";
import type { LinearModule, ModelFamily } from "../family.ts";
import { HEAD } from "../own-head.ts";

/** GPT-2 has as many heads of keys as of queries. */
interface Gpt2Config extends ModelConfig {
  readonly normEpsilon: number;
  /** True: the LM head is the embedding table. */
  readonly tiedHead: boolean;
  /** For each layer, the factor of the product of query and key. */
  readonly attentionScales: readonly number[];
}

const EMBEDDING = "transformer.wte.weight";
const POSITIONS = "transformer.wpe.weight";

interface LayerModules {
  readonly qkv: LinearModule;
  readonly o: LinearModule;
  readonly up: LinearModule;
  readonly down: LinearModule;
}

function modulesOf({ hiddenSize, intermediateSize }: Gpt2Config, layer: number): LayerModules {
  const module = (name: string, width: number, out: number): LinearModule => ({
    name: `transformer.h.${layer}.${name}`,
    in: width,
    out,
    bias: true,
    transposed: true,
  });
  return {
    qkv: module("attn.c_attn", hiddenSize, 3 * hiddenSize),
    o: module("attn.c_proj", hiddenSize, hiddenSize),
    up: module("mlp.c_fc", hiddenSize, intermediateSize),
    down: module("mlp.c_proj", intermediateSize, hiddenSize),
  };
}

function linearsOf(config: Gpt2Config, layer: number): LinearModule[] {
  const { qkv, o, up, down } = modulesOf(config, layer);
  return [qkv, o, up, down];
}

function tensors(config: Gpt2Config): ReadonlyMap<string, readonly number[]> {
  const { vocabSize, hiddenSize, maxPositions, layers, tiedHead } = config;
  const shapes = new Map<string, readonly number[]>([
    [EMBEDDING, [vocabSize, hiddenSize]],
    [POSITIONS, [maxPositions, hiddenSize]],
  ]);
  const addNorm = (name: string): void => {
    for (const kind of ["weight", "bias"]) shapes.set(`transformer.${name}.${kind}`, [hiddenSize]);
  };
  for (let layer = 0; layer < layers; layer++) {
    for (const norm of ["ln_1", "ln_2"]) addNorm(`h.${layer}.${norm}`);
    for (const { name, in: width, out } of linearsOf(config, layer)) {
      shapes.set(`${name}.weight`, [width, out]);
      shapes.set(`${name}.bias`, [out]);
    }
  }
  addNorm("ln_f");
  if (!tiedHead) shapes.set(HEAD, [vocabSize, hiddenSize]);
  return shapes;
}

/** GPT-2 (Radford et al. 2019): learned positions, LayerNorm with biases, weights [in, out], one linear layer for q, k and v. */
export const gpt2: ModelFamily<Gpt2Config> = {
  modelType: "gpt2",
  title: "GPT-2",
  embedding: EMBEDDING,
  parse(fields) {
    fields.requireOneOf("activation_function", ["gelu_new", "gelu_pytorch_tanh", "gelu_fast"]);
    if (fields.flag("add_cross_attention")) throw fields.fail("add_cross_attention", "false");
    const hiddenSize = size(fields, "n_embd", "hidden_size");
    const layers = size(fields, "n_layer", "num_hidden_layers", MOST_LAYERS);
    const heads = size(fields, "n_head", "num_attention_heads");
    if (hiddenSize % heads !== 0) throw fields.fail("n_embd", `a multiple of n_head (${heads})`);
    const headDim = hiddenSize / heads;
    const scale = fields.flag("scale_attn_weights", true) ? 1 / Math.sqrt(headDim) : 1;
    const byLayer = fields.flag("scale_attn_by_inverse_layer_idx");
    return {
      family: "gpt2",
      vocabSize: fields.count("vocab_size"),
      hiddenSize,
      intermediateSize: fields.has("n_inner") ? fields.count("n_inner") : 4 * hiddenSize,
      layers,
      heads,
      kvHeads: heads,
      headDim,
      normEpsilon: fields.positive("layer_norm_epsilon", 1e-5),
      maxPositions: fields.has("n_positions")
        ? fields.count("n_positions")
        : fields.count("max_position_embeddings", 1024),
      tiedHead: fields.flag("tie_word_embeddings", true),
      attentionScales: Array.from({ length: layers }, (_, layer) => (byLayer ? scale / (layer + 1) : scale)),
      bosTokenId: fields.tokens("bos_token_id", 50_256)[0],
      eosTokenIds: fields.tokens("eos_token_id", 50_256),
    };
  },
  linears: (config) => Array.from({ length: config.layers }, (_, layer) => linearsOf(config, layer)).flat(),
  tensors,
  embed(graph, { vocabSize, hiddenSize, maxPositions }) {
    const { builder } = graph;
    const table = builder.parameter(EMBEDDING, [vocabSize, hiddenSize]);
    const places = builder.parameter(POSITIONS, [maxPositions, hiddenSize]);
    const tokens = builder.op("gatherRows", [table, graph.ids], {});
    return builder.op("add", [tokens, builder.op("gatherRows", [places, graph.positions()], {})], {});
  },
  layer(graph, config, x, layer) {
    const { heads, kvHeads, headDim, normEpsilon, attentionScales } = config;
    const prefix = `transformer.h.${layer}`;
    const { qkv, o, up, down } = modulesOf(config, layer);
    const normed = (y: Value, name: string): Value => layerNorm(graph, y, `${prefix}.${name}`, normEpsilon);
    let mixed = selfAttention(graph, normed(x, "ln_1"), {
      layer,
      projections: [qkv],
      heads,
      kvHeads,
      headDim,
      scores: { scale: attentionScales[layer]! },
      rotary: undefined,
    });
    // After the last layer's attention no other position reaches the logits.
    if (layer === config.layers - 1) [mixed, x] = graph.chosenRows(mixed, x) as [Value, Value];
    const y = linear(graph, mixed, o, x);
    const inner = graph.builder.op("gelu", [linear(graph, normed(y, "ln_2"), up)], {});
    return linear(graph, inner, down, y);
  },
  head(graph, { tiedHead, vocabSize, hiddenSize, normEpsilon }, x) {
    const weight = graph.builder.parameter(tiedHead ? EMBEDDING : HEAD, [vocabSize, hiddenSize]);
    return graph.builder.op("gemm", [layerNorm(graph, x, "transformer.ln_f", normEpsilon), weight], { transB: true });
  },
};

/** Reads a size under GPT-2's own name, or under the name that other families have. */
function size(fields: ConfigFields, own: string, other: string, most?: number): number {
  return fields.count(fields.has(own) || !fields.has(other) ? own : other, undefined, most);
}
