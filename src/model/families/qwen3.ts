import { decoder } from "../blocks-decoder.ts";
import { type DecoderConfig, parseDecoder } from "../decoder-config.ts";
import type { ModelFamily } from "../family.ts";
import { decoderGguf } from "../gguf-decoder.ts";
import { switchedWindows } from "../sliding-window.ts";

/** Qwen 3, dense (Yang et al. 2025): each head of q and k is normalised before it is rotated. */
export const qwen3: ModelFamily<DecoderConfig> = {
  ...decoder(),
  modelType: "qwen3",
  title: "Qwen3",
  gguf: decoderGguf({ architecture: "qwen3", rotatesPairs: false, biases: [] }),
  parse(fields) {
    fields.requireOneOf("hidden_act", ["silu", "swish"]);
    const shared = parseDecoder(fields, "qwen3", {
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
