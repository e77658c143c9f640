import { decoder } from "../blocks-decoder.ts";
import { type DecoderConfig, parseDecoder } from "../decoder-config.ts";
import type { ModelFamily } from "../family.ts";
import { decoderGguf } from "../gguf-decoder.ts";
import { noWindows } from "../sliding-window.ts";

/** OLMo 2 (OLMo Team 2024): norms after attention and MLP alone, and norms of q and k over all heads together. */
export const olmo2: ModelFamily<DecoderConfig> = {
  ...decoder({
    norms: { afterAttention: "post_attention_layernorm", afterMlp: "post_feedforward_layernorm" },
    qkNormOfRows: true,
  }),
  modelType: "olmo2",
  title: "OLMo 2",
  gguf: decoderGguf({
    architecture: "olmo2",
    rotatesPairs: false,
    biases: [],
    headsFillHidden: true,
    lacks: ({ tiedHead }) => (tiedHead ? "a head that is the embedding table" : undefined),
    norms: { post_attention_layernorm: "post_attention_norm", post_feedforward_layernorm: "post_ffw_norm" },
  }),
  parse(fields) {
    fields.requireOneOf("hidden_act", ["silu", "swish"]);
    const shared = parseDecoder(fields, "olmo2", {
      maxPositions: 2048,
      bosTokenId: null,
      eosTokenId: 50_279,
      normEpsilon: 1e-5,
    });
    const attentionBias = fields.flag("attention_bias");
    return {
      ...shared,
      qkvBias: attentionBias,
      outputBias: attentionBias,
      mlpBias: false,
      qkNorm: true,
      slidingWindow: noWindows(shared.layers),
    };
  },
};
