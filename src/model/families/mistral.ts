import { decoder } from "../blocks-decoder.ts";
import { type DecoderConfig, parseDecoder } from "../decoder-config.ts";
import type { ModelFamily } from "../family.ts";
import { decoderGguf } from "../gguf-decoder.ts";
import { noWindows } from "../sliding-window.ts";

/** Mistral 7B (Jiang et al. 2023): no biases, and one sliding window in all layers unless `sliding_window` is null. */
export const mistral: ModelFamily<DecoderConfig> = {
  ...decoder(),
  modelType: "mistral",
  title: "Mistral",
  gguf: decoderGguf({ architecture: "llama", rotatesPairs: true, biases: [] }),
  parse(fields) {
    fields.requireOneOf("hidden_act", ["silu", "swish"]);
    const shared = parseDecoder(fields, "mistral", {
      kvHeads: 8,
      maxPositions: 131_072,
      bosTokenId: 1,
      eosTokenId: 2,
    });
    const none = noWindows(shared.layers);
    return {
      ...shared,
      qkvBias: false,
      outputBias: false,
      mlpBias: false,
      qkNorm: false,
      slidingWindow:
        fields.json["sliding_window"] === null ? none : none.map(() => fields.count("sliding_window", 4096)),
    };
  },
};
