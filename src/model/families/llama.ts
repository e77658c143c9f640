import { parsePreNorm, type PreNormConfig, preNormDecoder } from "../blocks-pre-norm.ts";
import type { ModelFamily } from "../family.ts";
import { preNormGguf } from "../gguf-pre-norm.ts";
import { noWindows } from "../sliding-window.ts";

/** LLaMA 1 to 3 (Touvron et al. 2023; Grattafiori et al. 2024) and the many models with its `model_type`. */
export const llama: ModelFamily<PreNormConfig> = {
  ...preNormDecoder(),
  modelType: "llama",
  title: "LLaMA",
  gguf: preNormGguf({ architecture: "llama", rotatesPairs: true, biases: ["qkv", "output", "mlp"] }),
  parse(fields) {
    fields.requireOneOf("hidden_act", ["silu", "swish"]);
    const shared = parsePreNorm(fields, "llama", { maxPositions: 2048, bosTokenId: 1, eosTokenId: 2 });
    const attentionBias = fields.flag("attention_bias");
    return {
      ...shared,
      qkvBias: attentionBias,
      outputBias: attentionBias,
      mlpBias: fields.flag("mlp_bias"),
      qkNorm: false,
      slidingWindow: noWindows(shared.layers),
    };
  },
};
