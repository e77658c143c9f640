import { geglu } from "../blocks-mlp.ts";
import { offsetRmsNorm } from "../blocks-norm.ts";
import { parsePreNorm, type PreNormConfig, preNormDecoder } from "../blocks-pre-norm.ts";
import type { ModelFamily } from "../family.ts";
import { preNormGguf } from "../gguf-pre-norm.ts";
import { noWindows } from "../sliding-window.ts";

/** Gemma 1 (Gemma Team 2024): norms by 1 + weight, a GELU gate, embeddings times √hidden. Gemma 2 and 3 are other types. */
export const gemma: ModelFamily<PreNormConfig> = {
  ...preNormDecoder({
    norm: offsetRmsNorm,
    activation: geglu,
    embeddingScale: ({ hiddenSize }) => Math.sqrt(hiddenSize),
  }),
  modelType: "gemma",
  title: "Gemma",
  gguf: preNormGguf({
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
    const shared = parsePreNorm(fields, "gemma", {
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
