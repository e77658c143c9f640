import { decoder } from "../blocks-decoder.ts";
import { type DecoderConfig, parseDecoder } from "../decoder-config.ts";
import type { ModelFamily } from "../family.ts";
import { noWindows } from "../sliding-window.ts";

/** Phi-3 to Phi-4-mini (Abdin et al. 2024): q, k and v are one linear layer, gate and up another; LongRoPE; parts of heads rotated. */
export const phi3: ModelFamily<DecoderConfig> = {
  ...decoder({ fused: true }),
  modelType: "phi3",
  title: "Phi-3",
  parse(fields) {
    fields.requireOneOf("hidden_act", ["silu", "swish"]);
    const shared = parseDecoder(fields, "phi3", {
      maxPositions: 4096,
      bosTokenId: 1,
      eosTokenId: 32_000,
      normEpsilon: 1e-5,
      rotary: {
        partial: true,
        originalPositions: 4096,
        // Names of the first releases.
        aliases: { su: "longrope", yarn: "longrope" },
        types: ["default", "longrope"],
      },
    });
    const none = noWindows(shared.layers);
    return {
      ...shared,
      qkvBias: false,
      outputBias: false,
      mlpBias: false,
      qkNorm: false,
      slidingWindow: fields.has("sliding_window") ? none.map(() => fields.count("sliding_window")) : none,
    };
  },
};
