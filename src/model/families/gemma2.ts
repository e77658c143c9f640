import { geglu } from "../blocks-mlp.ts";
import { offsetRmsNorm } from "../blocks-norm.ts";
import { decoder } from "../blocks-decoder.ts";
import type { ConfigFields } from "../config-fields.ts";
import { type DecoderConfig, type DecoderDefaults, parseDecoder } from "../decoder-config.ts";
import type { ModelFamily } from "../family.ts";
import { decoderGguf } from "../gguf-decoder.ts";
import { windowsByType } from "../sliding-window.ts";

/** The layers of Gemma 2 and 3: norms by 1 + weight before and after attention and the MLP, a GELU gate, embeddings times √hidden. */
export const gemmaDecoder: ReturnType<typeof decoder> = decoder({
  norm: offsetRmsNorm,
  activation: geglu,
  embeddingScale: ({ hiddenSize }) => Math.sqrt(hiddenSize),
  norms: {
    beforeAttention: "input_layernorm",
    afterAttention: "post_attention_layernorm",
    beforeMlp: "pre_feedforward_layernorm",
    afterMlp: "post_feedforward_layernorm",
  },
});

/** Reads what Gemma 2 and 3 share. Every `pattern`-th layer attends to all positions, unless `layer_types` says otherwise. */
export function parseGemma(
  fields: ConfigFields,
  family: string,
  defaults: Pick<DecoderDefaults, "maxPositions" | "rotary"> & { readonly pattern: number },
): Omit<DecoderConfig, "qkNorm"> {
  // `hidden_act` of the published files is not read by transformers.
  fields.requireOneOf("hidden_activation", ["gelu_pytorch_tanh"]);
  if (fields.flag("use_bidirectional_attention")) throw fields.fail("use_bidirectional_attention", "false");
  const { pattern, ...own } = defaults;
  const shared = parseDecoder(fields, family, {
    kvHeads: 4,
    headDim: 256,
    bosTokenId: 2,
    eosTokenId: 1,
    tiedHead: true,
    ...own,
  });
  const attentionBias = fields.flag("attention_bias");
  const window = fields.count("sliding_window", 4096);
  return {
    ...shared,
    qkvBias: attentionBias,
    outputBias: attentionBias,
    mlpBias: false,
    slidingWindow: windowsByType(fields, shared.layers, window, (layer) => (layer + 1) % pattern !== 0),
    attentionScale: fields.positive("query_pre_attn_scalar", 256) ** -0.5,
  };
}

/** llama.cpp fixes what the published sizes have: which layers have windows, and the factor of scores. */
function lackOfGemma2(config: DecoderConfig): string | undefined {
  const { layers, hiddenSize, heads, headDim, slidingWindow, attentionScale, attentionCap, logitCap } = config;
  if (attentionCap === undefined || logitCap === undefined) return "scores or logits without a cap";
  const alternates = slidingWindow.every((window, layer) => (window !== undefined) === (layer % 2 === 0));
  if (!alternates) return "layers with sliding windows other than every second";
  // It knows the 27B model by its 46 layers.
  const scale = (layers === 46 ? hiddenSize / heads : headDim) ** -0.5;
  return attentionScale === scale ? undefined : "another factor of scores (query_pre_attn_scalar)";
}

/** Gemma 2 (Gemma Team 2024): norms on both sides, capped scores and logits, every other layer with a sliding window. */
export const gemma2: ModelFamily<DecoderConfig> = {
  ...gemmaDecoder,
  modelType: "gemma2",
  title: "Gemma 2",
  gguf: decoderGguf({
    architecture: "gemma2",
    rotatesPairs: false,
    offsetNorms: true,
    biases: [],
    alwaysTied: true,
    windows: true,
    norms: {
      post_attention_layernorm: "post_attention_norm",
      pre_feedforward_layernorm: "ffn_norm",
      post_feedforward_layernorm: "post_ffw_norm",
    },
    more: ({ slidingWindow, attentionCap, logitCap }) => ({
      "attention.sliding_window": slidingWindow[0]!,
      attn_logit_softcapping: { float: attentionCap! },
      final_logit_softcapping: { float: logitCap! },
    }),
    lacks: lackOfGemma2,
  }),
  parse(fields) {
    const shared = parseGemma(fields, "gemma2", { maxPositions: 8192, pattern: 2 });
    const cap = (key: string, fallback: number): number | undefined =>
      fields.json[key] === null ? undefined : fields.positive(key, fallback);
    const attentionCap = cap("attn_logit_softcapping", 50);
    const logitCap = cap("final_logit_softcapping", 30);
    return {
      ...shared,
      qkNorm: false,
      ...(attentionCap === undefined ? {} : { attentionCap }),
      ...(logitCap === undefined ? {} : { logitCap }),
    };
  },
};
