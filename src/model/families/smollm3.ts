import { decoder } from "../blocks-decoder.ts";
import type { ConfigFields } from "../config-fields.ts";
import { type DecoderConfig, parseDecoder } from "../decoder-config.ts";
import type { ModelFamily } from "../family.ts";
import { decoderGguf } from "../gguf-decoder.ts";
import { noWindows, windowsByType } from "../sliding-window.ts";

const THETA = 2_000_000;

/** Reads which layers rotate: `no_rope_layers` has 1 for those that do, else every fourth does not. */
function unrotatedLayers(fields: ConfigFields, layers: number): number[] {
  const interval = fields.count("no_rope_layer_interval", 4);
  const all = Array.from({ length: layers }, (_, layer) => layer);
  if (!fields.has("no_rope_layers")) return all.filter((layer) => (layer + 1) % interval === 0);
  const given = fields.json["no_rope_layers"];
  if (!Array.isArray(given) || given.length < layers || !given.every((one) => one === 0 || one === 1)) {
    throw fields.fail("no_rope_layers", `a list of 0 or 1 for each of ${layers} layers`);
  }
  return all.filter((layer) => given[layer] === 0);
}

/** SmolLM 3 (Hugging Face 2025): every fourth layer has no rotation (NoPE). */
export const smollm3: ModelFamily<DecoderConfig> = {
  ...decoder(),
  modelType: "smollm3",
  title: "SmolLM3",
  gguf: decoderGguf({
    architecture: "smollm3",
    theta: THETA,
    rotatesPairs: true,
    biases: [],
    // llama.cpp leaves every fourth layer unrotated, whatever the file says.
    lacks: ({ layers, unrotatedLayers = [] }) =>
      Array.from({ length: layers }, (_, i) => i).every((i) => unrotatedLayers.includes(i) === (i % 4 === 3))
        ? undefined
        : "other layers without rotation than every fourth",
  }),
  parse(fields) {
    fields.requireOneOf("hidden_act", ["silu", "swish"]);
    const shared = parseDecoder(fields, "smollm3", {
      kvHeads: 4,
      maxPositions: 32_768,
      bosTokenId: 128_000,
      eosTokenId: 128_001,
      tiedHead: true,
      rotary: { theta: THETA },
    });
    const attentionBias = fields.flag("attention_bias");
    const unrotated = unrotatedLayers(fields, shared.layers);
    const windowed = fields.flag("use_sliding_window") && fields.has("sliding_window");
    return {
      ...shared,
      qkvBias: attentionBias,
      outputBias: attentionBias,
      mlpBias: fields.flag("mlp_bias"),
      qkNorm: false,
      slidingWindow: windowed
        ? windowsByType(fields, shared.layers, fields.count("sliding_window"), (layer) => unrotated.includes(layer))
        : noWindows(shared.layers),
      unrotatedLayers: unrotated,
    };
  },
};
