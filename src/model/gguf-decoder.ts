import type { DecoderConfig } from "./decoder-config.ts";
import type { GgufRules } from "./gguf-rules.ts";

interface DecoderGguf {
  readonly architecture: string;
  /** True: llama.cpp rotates neighbouring elements (its `LLAMA_ROPE_TYPE_NORM`) and not halves. */
  readonly rotatesPairs: boolean;
  /** True: norms are 1 + weight. */
  readonly offsetNorms?: boolean;
  /** Biases that the architecture has in llama.cpp. */
  readonly biases: readonly ("qkv" | "output" | "mlp")[];
  /** True: the heads of all queries together must be as wide as the hidden state. */
  readonly headsFillHidden?: boolean;
  /** True: the head is always the embedding table. */
  readonly alwaysTied?: boolean;
}

const LAYER: Readonly<Record<string, string>> = {
  input_layernorm: "attn_norm",
  "self_attn.q_proj": "attn_q",
  "self_attn.k_proj": "attn_k",
  "self_attn.v_proj": "attn_v",
  "self_attn.o_proj": "attn_output",
  "self_attn.q_norm": "attn_q_norm",
  "self_attn.k_norm": "attn_k_norm",
  post_attention_layernorm: "ffn_norm",
  "mlp.gate_proj": "ffn_gate",
  "mlp.up_proj": "ffn_up",
  "mlp.down_proj": "ffn_down",
};

const OUTER: Readonly<Record<string, string>> = {
  "model.embed_tokens": "token_embd",
  "model.norm": "output_norm",
  lm_head: "output",
};

/** GGUF of pre-norm decoders: names, sizes and the differences between llama.cpp's architectures. */
export function decoderGguf({
  architecture,
  rotatesPairs,
  offsetNorms = false,
  biases,
  headsFillHidden = false,
  alwaysTied = false,
}: DecoderGguf): GgufRules<DecoderConfig> {
  return {
    architecture,
    metadata: ({ vocabSize, hiddenSize, layers, intermediateSize, heads, kvHeads, headDim, normEpsilon }) => ({
      vocab_size: vocabSize,
      embedding_length: hiddenSize,
      block_count: layers,
      feed_forward_length: intermediateSize,
      "attention.head_count": heads,
      "attention.head_count_kv": kvHeads,
      "attention.key_length": headDim,
      "attention.value_length": headDim,
      "attention.layer_norm_rms_epsilon": { float: normEpsilon },
      "rope.dimension_count": headDim,
    }),
    tensorName(name) {
      const [, layer, inner, kind] = /^(?:model\.layers\.(\d+)\.)?(.+)\.(weight|bias)$/.exec(name) ?? [];
      const written = layer === undefined ? OUTER[inner!] : LAYER[inner!];
      if (written === undefined) throw new Error(`tensor ${name} has no name in GGUF`);
      return `${layer === undefined ? "" : `blk.${layer}.`}${written}.${kind}`;
    },
    change({ heads, kvHeads }, name) {
      if (rotatesPairs && /self_attn\.[qk]_proj\./.test(name)) {
        return { kind: "pair-rows", heads: name.includes("q_proj") ? heads : kvHeads };
      }
      return offsetNorms && name.endsWith("norm.weight") ? { kind: "add-one" } : undefined;
    },
    lacks({ qkvBias, outputBias, mlpBias, tiedHead, heads, headDim, hiddenSize }) {
      if (headsFillHidden && heads * headDim !== hiddenSize) return "a head_dim that is not hidden_size / heads";
      if (qkvBias && !biases.includes("qkv")) return "biases of q, k and v";
      if (outputBias && !biases.includes("output")) return "a bias of o_proj";
      if (mlpBias && !biases.includes("mlp")) return "biases of the MLP";
      return alwaysTied && !tiedHead ? "a head that is not the embedding table" : undefined;
    },
    wholeContext: ({ maxPositions, slidingWindow }) =>
      slidingWindow.reduce<number>((least, window) => Math.min(least, window ?? least), maxPositions),
  };
}
