import { decoder } from "../blocks-decoder.ts";
import { type DecoderConfig, parseDecoder } from "../decoder-config.ts";
import type { ModelFamily } from "../family.ts";
import { decoderGguf } from "../gguf-decoder.ts";
import { switchedWindows } from "../sliding-window.ts";

/** Qwen 1.5 to 2.5 (Yang et al. 2024): q, k and v always have a bias. */
export const qwen2: ModelFamily<DecoderConfig> = {
  ...decoder(),
  modelType: "qwen2",
  title: "Qwen2",
  gguf: decoderGguf({ architecture: "qwen2", rotatesPairs: false, biases: ["qkv"], headsFillHidden: true }),
  parse(fields) {
    fields.requireOneOf("hidden_act", ["silu", "swish"]);
    const shared = parseDecoder(fields, "qwen2", {
      kvHeads: 32,
      maxPositions: 32_768,
      bosTokenId: null,
      eosTokenId: null,
    });
    return {
      ...shared,
      qkvBias: true,
      outputBias: false,
      mlpBias: false,
      qkNorm: false,
      slidingWindow: switchedWindows(fields, shared.layers),
    };
  },
};
