/** Rotary position embedding, resolved: one inverse frequency per pair of dimensions. */
export interface RotaryConfig {
  /** `headDim / 2` inverse frequencies, scaling (`linear`, `llama3`) already applied. */
  readonly inverseFrequencies: readonly number[];
}

/** A LLaMA-family decoder, from a Hugging Face `config.json`. */
export interface ModelConfig {
  readonly family: "llama" | "mistral" | "qwen2" | "qwen3";
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly normEpsilon: number;
  readonly maxPositions: number;
  readonly rotary: RotaryConfig;
  /** The LM head is the embedding table. */
  readonly tiedHead: boolean;
  /** Biases on q, k, v (qwen2; llama with `attention_bias`), on o, and on the MLP's three linears. */
  readonly qkvBias: boolean;
  readonly outputBias: boolean;
  readonly mlpBias: boolean;
  /** RMSNorm over each head of q and k (qwen3). */
  readonly qkNorm: boolean;
  /** A layer attends to this many latest positions, itself included; undefined: all. One entry a layer. */
  readonly slidingWindow: readonly (number | undefined)[];
  readonly bosTokenId: number | undefined;
  readonly eosTokenIds: readonly number[];
}
