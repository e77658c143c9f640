import { geglu } from "../blocks-mlp.ts";
import { offsetRmsNorm } from "../blocks-norm.ts";
import { decoder } from "../blocks-decoder.ts";
import { type DecoderConfig, parseDecoder } from "../decoder-config.ts";
import type { ModelFamily } from "../family.ts";
import { decoderGguf } from "../gguf-decoder.ts";
import { noWindows } from "../sliding-window.ts";

/** Gemma 1 (Gemma Team 2024): norms by 1 + weight, a GELU gate, embeddings times √hidden. Gemma 2 and 3 are other types. */
export const gemma: ModelFamily<DecoderConfig> = {
  ...decoder({
    norm: offsetRmsNorm,
    activation: geglu,
    embeddingScale: ({ hiddenSize }) => Math.sqrt(hiddenSize),
  }),
  modelType: "gemma",
  title: "Gemma",
  gguf: decoderGguf({
    architecture: "gemma",
    rotatesPairs: false,
    offsetNorms: true,
    biases: [],
    alwaysTied: true,
  }),
  parse(fields) {
    // `gelu` of the first releases means its tanh form, also in transformers.
    for (const key of ["hidden_act", "hidden_activation"]) fields.requireOneOf(key, ["gelu_pytorch_tanh", "gelu"]);
    if (fields.flag("use_bidirectional_attention")) throw fields.fail("use_bidirectional_attention", "false");
    const shared = parseDecoder(fields, "gemma", {
      kvHeads: 16,
      headDim: 256,
      maxPositions: 8192,
      bosTokenId: 2,
      eosTokenId: 1,
      tiedHead: true,
    });
    const attentionBias = fields.flag("attention_bias");
    return {
      ...shared,
      qkvBias: attentionBias,
      outputBias: attentionBias,
      mlpBias: false,
      qkNorm: false,
      slidingWindow: noWindows(shared.layers),
    };
  },
};
