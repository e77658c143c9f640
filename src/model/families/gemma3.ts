import { shownJson } from "../../diagnostics/shown.ts";
import type { ConfigFields } from "../config-fields.ts";
import type { DecoderConfig } from "../decoder-config.ts";
import type { ModelFamily } from "../family.ts";
import { readRotary } from "../rotary.ts";
import type { RotaryConfig } from "../rotary-scaling.ts";
import { gemmaDecoder, parseGemma } from "./gemma2.ts";

type Json = Readonly<Record<string, unknown>>;
const THETAS = { full_attention: 1_000_000, sliding_attention: 10_000 };

/**
 * Reads the rotation of one kind of layer: `rope_parameters` by kind (transformers 5), or `rope_theta` with `rope_scaling` for
 * layers that attend to all positions and `rope_local_base_freq` for the others.
 */
function rotaryOf(
  fields: ConfigFields,
  kind: keyof typeof THETAS,
  headDim: number,
  maxPositions: number,
): RotaryConfig {
  const { json, where } = fields;
  const parameters = json["rope_parameters"] ?? {};
  if (typeof parameters !== "object") throw fields.fail("rope_parameters", "an object");
  const other = Object.keys(parameters).find((key) => !Object.hasOwn(THETAS, key));
  if (other !== undefined) throw fields.fail("rope_parameters", `full_attention and sliding_attention, not ${other}`);
  const own = (parameters as Json)[kind] ?? {};
  if (typeof own !== "object") throw fields.fail("rope_parameters", `an object for ${kind}, not ${shownJson(own)}`);
  const full = kind === "full_attention";
  const theta = json[full ? "rope_theta" : "rope_local_base_freq"] ?? THETAS[kind];
  const scaling = (full ? json["rope_scaling"] : undefined) ?? {};
  const rope = { rope_theta: theta, ...own, ...(scaling as Json) };
  return readRotary(rope, { headDim, maxPositions, where: `${where}: rope_parameters of ${kind}` });
}

/** Gemma 3, text (Gemma Team 2025): each head of q and k is normalised; layers with a window have a rotation of their own. */
export const gemma3: ModelFamily<DecoderConfig> = {
  ...gemmaDecoder,
  modelType: "gemma3_text",
  title: "Gemma 3 (text)",
  parse(fields) {
    const positions = 131_072;
    const shared = parseGemma(fields, "gemma3_text", {
      maxPositions: positions,
      pattern: fields.count("sliding_window_pattern", 6),
      rotary: (headDim, maxPositions) => rotaryOf(fields, "full_attention", headDim, maxPositions),
    });
    // transformers reads `attn_logit_softcapping` for Gemma 3, and does not use it.
    const logitCap = fields.has("final_logit_softcapping") ? fields.positive("final_logit_softcapping", 1) : undefined;
    return {
      ...shared,
      qkNorm: true,
      localRotary: rotaryOf(fields, "sliding_attention", shared.headDim, shared.maxPositions),
      ...(logitCap === undefined ? {} : { logitCap }),
    };
  },
};
