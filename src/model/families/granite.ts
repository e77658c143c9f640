import { decoder } from "../blocks-decoder.ts";
import { type DecoderConfig, parseDecoder } from "../decoder-config.ts";
import type { ModelFamily } from "../family.ts";
import { decoderGguf } from "../gguf-decoder.ts";
import { noWindows } from "../sliding-window.ts";

/** Granite 3, dense (Granite Team 2024): LLaMA with factors of embeddings, scores, residuals and logits. */
export const granite: ModelFamily<DecoderConfig> = {
  ...decoder({ embeddingScale: ({ embeddingFactor = 1 }) => embeddingFactor }),
  modelType: "granite",
  title: "Granite",
  gguf: decoderGguf({
    architecture: "granite",
    rotatesPairs: true,
    biases: [],
    more: ({ attentionScale = 1, embeddingFactor = 1, residualFactor = 1, logitDivisor = 1 }) => ({
      "attention.scale": { float: attentionScale },
      embedding_scale: { float: embeddingFactor },
      residual_scale: { float: residualFactor },
      logit_scale: { float: logitDivisor },
    }),
  }),
  parse(fields) {
    fields.requireOneOf("hidden_act", ["silu", "swish"]);
    const shared = parseDecoder(fields, "granite", { maxPositions: 2048, bosTokenId: 1, eosTokenId: 2 });
    const attentionBias = fields.flag("attention_bias");
    return {
      ...shared,
      qkvBias: attentionBias,
      outputBias: attentionBias,
      mlpBias: fields.flag("mlp_bias"),
      qkNorm: false,
      slidingWindow: noWindows(shared.layers),
      embeddingFactor: fields.positive("embedding_multiplier", 1),
      attentionScale: fields.positive("attention_multiplier", 1),
      residualFactor: fields.positive("residual_multiplier", 1),
      logitDivisor: fields.positive("logits_scaling", 1),
    };
  },
};
