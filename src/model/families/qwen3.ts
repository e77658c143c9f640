import { parsePreNorm, type PreNormConfig, preNormDecoder } from "../blocks-pre-norm.ts";
import type { ModelFamily } from "../family.ts";
import { preNormGguf } from "../gguf-pre-norm.ts";
import { switchedWindows } from "../sliding-window.ts";

/** Qwen 3, dense (Yang et al. 2025): each head of q and k is normalised before it is rotated. */
export const qwen3: ModelFamily<PreNormConfig> = {
  ...preNormDecoder(),
  modelType: "qwen3",
  title: "Qwen3",
  gguf: preNormGguf({ architecture: "qwen3", rotatesPairs: false, biases: [] }),
  parse(fields) {
    fields.requireOneOf("hidden_act", ["silu", "swish"]);
    const shared = parsePreNorm(fields, "qwen3", {
      kvHeads: 32,
      headDim: 128,
      maxPositions: 32_768,
      bosTokenId: null,
      eosTokenId: null,
    });
    const attentionBias = fields.flag("attention_bias");
    return {
      ...shared,
      qkvBias: attentionBias,
      outputBias: attentionBias,
      mlpBias: false,
      qkNorm: true,
      slidingWindow: switchedWindows(fields, shared.layers),
    };
  },
};
