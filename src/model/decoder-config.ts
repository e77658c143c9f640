import { type ConfigFields, MOST_LAYERS } from "./config-fields.ts";
import type { ModelConfig } from "./config.ts";
import { parseRotary, type RotaryOptions } from "./rotary.ts";
import type { RotaryConfig } from "./rotary-scaling.ts";

/**
 * A decoder with attention and a gated MLP in each layer, norms before or after them, and rotary positions. Fields that only
 * some families have are optional, so that the identity of other models' runs does not know of them.
 */
export interface DecoderConfig extends ModelConfig {
  readonly normEpsilon: number;
  readonly rotary: RotaryConfig;
  /** True: the LM head is the embedding table. */
  readonly tiedHead: boolean;
  /** Biases of q, k and v, of o, and of the MLP's three linear layers. */
  readonly qkvBias: boolean;
  readonly outputBias: boolean;
  readonly mlpBias: boolean;
  /** Norms of q and k. */
  readonly qkNorm: boolean;
  /** For each layer, the number of latest positions that a query attends to, its own included; undefined: all. */
  readonly slidingWindow: readonly (number | undefined)[];
  /** The rotation of layers with a sliding window; absent: as in all. */
  readonly localRotary?: RotaryConfig;
  /** Layers whose queries and keys are not rotated. */
  readonly unrotatedLayers?: readonly number[];
  /** Factor of the product of query and key; absent: 1/√headDim. */
  readonly attentionScale?: number;
  /** c of c·tanh(score/c); absent: scores are not capped. */
  readonly attentionCap?: number;
  /** c of c·tanh(logit/c); absent: logits are not capped. */
  readonly logitCap?: number;
  /** Factor of the embeddings. */
  readonly embeddingFactor?: number;
  /** Factor of what attention and the MLP add to their input. */
  readonly residualFactor?: number;
  /** Divisor of the logits. */
  readonly logitDivisor?: number;
}

/** The defaults of transformers for keys that `config.json` does not have. */
export interface DecoderDefaults {
  /** undefined: as many as heads. */
  readonly kvHeads?: number;
  /** undefined: hidden size / heads. */
  readonly headDim?: number;
  readonly maxPositions: number;
  readonly bosTokenId: number | null;
  readonly eosTokenId: number | null;
  readonly tiedHead?: boolean;
  /** undefined: 1e-6. */
  readonly normEpsilon?: number;
  /** How the rotation is read; a function reads it otherwise than `parseRotary`. */
  readonly rotary?: RotaryOptions | ((headDim: number, maxPositions: number) => RotaryConfig);
}

/** Reads the part of the configuration that all these families share. The five sizes of every model must be there. */
export function parseDecoder(
  fields: ConfigFields,
  family: string,
  defaults: DecoderDefaults,
): Omit<DecoderConfig, "qkvBias" | "outputBias" | "mlpBias" | "qkNorm" | "slidingWindow"> {
  const { json } = fields;
  const hiddenSize = fields.count("hidden_size");
  const layers = fields.count("num_hidden_layers", undefined, MOST_LAYERS);
  const heads = fields.count("num_attention_heads");
  const kvHeads =
    json["num_key_value_heads"] === null ? heads : fields.count("num_key_value_heads", defaults.kvHeads ?? heads);
  if (heads % kvHeads !== 0) throw fields.fail("num_key_value_heads", `a divisor of num_attention_heads (${heads})`);
  const derived = json["head_dim"] === null || defaults.headDim === undefined ? hiddenSize / heads : defaults.headDim;
  if (!fields.has("head_dim") && !Number.isInteger(derived)) {
    throw fields.fail("hidden_size", `a multiple of num_attention_heads (${heads})`);
  }
  const headDim = fields.count("head_dim", derived);
  if (headDim % 2 !== 0) throw fields.fail("head_dim", "an even number");
  const maxPositions = fields.count("max_position_embeddings", defaults.maxPositions);
  const { rotary } = defaults;
  return {
    family,
    vocabSize: fields.count("vocab_size"),
    hiddenSize,
    intermediateSize: fields.count("intermediate_size"),
    layers,
    heads,
    kvHeads,
    headDim,
    normEpsilon: fields.positive("rms_norm_eps", defaults.normEpsilon ?? 1e-6),
    maxPositions,
    rotary:
      typeof rotary === "function"
        ? rotary(headDim, maxPositions)
        : parseRotary(json, headDim, maxPositions, fields.where, rotary),
    tiedHead: fields.flag("tie_word_embeddings", defaults.tiedHead),
    bosTokenId: fields.tokens("bos_token_id", defaults.bosTokenId)[0],
    eosTokenIds: fields.tokens("eos_token_id", defaults.eosTokenId),
  };
}
