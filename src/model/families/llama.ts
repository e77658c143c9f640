import { decoder } from "../blocks-decoder.ts";
import type { ConfigFields } from "../config-fields.ts";
import { type DecoderConfig, parseDecoder } from "../decoder-config.ts";
import type { ModelFamily } from "../family.ts";
import { decoderGguf } from "../gguf-decoder.ts";
import { noWindows } from "../sliding-window.ts";

/** LLaMA 1 to 3 (Touvron et al. 2023; Grattafiori et al. 2024) and the many models with its `model_type`. */
export const llama: ModelFamily<DecoderConfig> = {
  ...decoder(),
  modelType: "llama",
  title: "LLaMA",
  gguf: decoderGguf({ architecture: "llama", rotatesPairs: true, biases: ["qkv", "output", "mlp"] }),
  parse: (fields) => parseLlama(fields, "llama"),
};

/** Reads the configuration of LLaMA, and of the families that add to it. */
export function parseLlama(fields: ConfigFields, modelType: string): DecoderConfig {
  fields.requireOneOf("hidden_act", ["silu", "swish"]);
  const shared = parseDecoder(fields, modelType, { maxPositions: 2048, bosTokenId: 1, eosTokenId: 2 });
  const attentionBias = fields.flag("attention_bias");
  return {
    ...shared,
    qkvBias: attentionBias,
    outputBias: attentionBias,
    mlpBias: fields.flag("mlp_bias"),
    qkNorm: false,
    slidingWindow: noWindows(shared.layers),
  };
}
