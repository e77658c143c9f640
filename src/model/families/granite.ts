import { decoder } from "../blocks-decoder.ts";
import type { DecoderConfig } from "../decoder-config.ts";
import type { ModelFamily } from "../family.ts";
import { decoderGguf } from "../gguf-decoder.ts";
import { parseLlama } from "./llama.ts";

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
    return {
      ...parseLlama(fields, "granite"),
      embeddingFactor: fields.positive("embedding_multiplier", 1),
      attentionScale: fields.positive("attention_multiplier", 1),
      residualFactor: fields.positive("residual_multiplier", 1),
      logitDivisor: fields.positive("logits_scaling", 1),
    };
  },
};
