import type { DecoderConfig } from "./decoder-config.ts";
import type { GgufRules } from "./gguf-rules.ts";

interface DecoderGguf {
  readonly architecture: string;
  /** Base of the rotation where `config.json` has none; absent: 10,000. */
  readonly theta?: number;
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
  /** Names of norms in llama.cpp that differ from those of a decoder with its norms before. */
  readonly norms?: Readonly<Record<string, string>>;
  /** Keys that the architecture has beside the common ones. */
  readonly more?: (config: DecoderConfig) => ReturnType<GgufRules["metadata"]>;
  /** What else the architecture lacks for a configuration. */
  readonly lacks?: (config: DecoderConfig) => string | undefined;
  /** True: llama.cpp has the sliding windows. */
  readonly windows?: boolean;
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

/** GGUF of decoders: names, sizes and the differences between llama.cpp's architectures. */
export function decoderGguf({
  architecture,
  theta,
  rotatesPairs,
  offsetNorms = false,
  biases,
  headsFillHidden = false,
  alwaysTied = false,
  norms = {},
  more = () => ({}),
  lacks = () => undefined,
  windows = false,
}: DecoderGguf): GgufRules<DecoderConfig> {
  return {
    architecture,
    ...(theta === undefined ? {} : { theta }),
    metadata: (config) => ({
      vocab_size: config.vocabSize,
      embedding_length: config.hiddenSize,
      block_count: config.layers,
      feed_forward_length: config.intermediateSize,
      "attention.head_count": config.heads,
      "attention.head_count_kv": config.kvHeads,
      "attention.key_length": config.headDim,
      "attention.value_length": config.headDim,
      "attention.layer_norm_rms_epsilon": { float: config.normEpsilon },
      "rope.dimension_count": config.headDim,
      ...more(config),
    }),
    tensorName(name) {
      const [, layer, inner, kind] = /^(?:model\.layers\.(\d+)\.)?(.+)\.(weight|bias)$/.exec(name) ?? [];
      const written = layer === undefined ? OUTER[inner!] : (norms[inner!] ?? LAYER[inner!]);
      if (written === undefined) throw new Error(`tensor ${name} has no name in GGUF`);
      return `${layer === undefined ? "" : `blk.${layer}.`}${written}.${kind}`;
    },
    change({ heads, kvHeads }, name) {
      if (rotatesPairs && /self_attn\.[qk]_proj\./.test(name)) {
        return { kind: "pair-rows", heads: name.includes("q_proj") ? heads : kvHeads };
      }
      return offsetNorms && name.endsWith("norm.weight") ? { kind: "add-one" } : undefined;
    },
    lacks(config) {
      const { qkvBias, outputBias, mlpBias, tiedHead, heads, headDim, hiddenSize } = config;
      if (headsFillHidden && heads * headDim !== hiddenSize) return "a head_dim that is not hidden_size / heads";
      if (qkvBias && !biases.includes("qkv")) return "biases of q, k and v";
      if (outputBias && !biases.includes("output")) return "a bias of o_proj";
      if (mlpBias && !biases.includes("mlp")) return "biases of the MLP";
      return alwaysTied && !tiedHead ? "a head that is not the embedding table" : lacks(config);
    },
    wholeContext: ({ maxPositions, slidingWindow }) =>
      windows
        ? maxPositions
        : slidingWindow.reduce<number>((least, window) => Math.min(least, window ?? least), maxPositions),
  };
}
