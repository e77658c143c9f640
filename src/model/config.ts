import { UserError } from "../diagnostics/user-error.ts";
import { parseRotary } from "./rotary.ts";

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

type Json = Readonly<Record<string, unknown>>;

/** What transformers (5.18) assumes for a key that `config.json` does not have. `null` is "heads" or "hidden / heads". */
interface FamilyDefaults {
  readonly kvHeads: number | null;
  readonly headDim: number | null;
  readonly maxPositions: number;
  readonly bosTokenId: number | null;
  readonly eosTokenId: number | null;
}

const DEFAULTS: Readonly<Record<ModelConfig["family"], FamilyDefaults>> = {
  llama: { kvHeads: null, headDim: null, maxPositions: 2048, bosTokenId: 1, eosTokenId: 2 },
  mistral: { kvHeads: 8, headDim: null, maxPositions: 131_072, bosTokenId: 1, eosTokenId: 2 },
  qwen2: { kvHeads: 32, headDim: null, maxPositions: 32_768, bosTokenId: null, eosTokenId: null },
  qwen3: { kvHeads: 32, headDim: 128, maxPositions: 32_768, bosTokenId: null, eosTokenId: null },
};

/** Values of `model_type` that can be opened. */
const FAMILIES = Object.keys(DEFAULTS) as readonly ModelConfig["family"][];

/** Typed reads of one config.json. An absent key is the default; where that is undefined, an error. */
class Fields {
  readonly #json: Json;
  readonly #where: string;

  constructor(json: Json, where: string) {
    this.#json = json;
    this.#where = where;
  }

  has(key: string): boolean {
    return this.#json[key] !== undefined && this.#json[key] !== null;
  }

  fail(key: string, expected: string): UserError {
    const value = this.#json[key];
    return new UserError(
      "model",
      `${this.#where}: ${key} ${value === undefined ? "is missing" : `is ${JSON.stringify(value)}`}, expected ${expected}`,
      { hint: "Take a base model that is supported (docs/own-model.md), with its config.json as it was published." },
    );
  }

  count(key: string, fallback?: number): number {
    const value = this.has(key) ? this.#json[key] : fallback;
    if (typeof value !== "number" || !Number.isInteger(value) || value < 1)
      throw this.fail(key, "a whole number above 0");
    return value;
  }

  positive(key: string, fallback: number): number {
    const value = this.#json[key] ?? fallback;
    if (typeof value !== "number" || !(value > 0)) throw this.fail(key, "a number above 0");
    return value;
  }

  flag(key: string): boolean {
    const value = this.#json[key] ?? false;
    if (typeof value !== "boolean") throw this.fail(key, "true or false");
    return value;
  }

  /** Token ids: a number, a list, or null for none. */
  tokens(key: string, fallback: number | null): number[] {
    const value = this.#json[key] === undefined ? fallback : this.#json[key];
    const list = value === null ? [] : Array.isArray(value) ? value : [value];
    if (!list.every((id) => Number.isInteger(id) && id >= 0))
      throw this.fail(key, "a token id, a list of them, or null");
    return list as number[];
  }
}

/** Length of the sliding window of each layer, as each family's configuration class in transformers derives it. */
function slidingWindows(
  family: ModelConfig["family"],
  json: Json,
  fields: Fields,
  layers: number,
): (number | undefined)[] {
  const none = Array<undefined>(layers).fill(undefined);
  if (family === "llama") return none;
  if (family !== "mistral" && !fields.flag("use_sliding_window")) {
    if (Array.isArray(json["layer_types"]) && json["layer_types"].includes("sliding_attention")) {
      throw fields.fail("layer_types", "full_attention everywhere, because use_sliding_window is false");
    }
    return none;
  }
  // null switches the window off; an absent key does not.
  if (json["sliding_window"] === null) return none;
  const window = fields.count("sliding_window", 4096);
  if (family === "mistral") return Array<number>(layers).fill(window);
  const types = json["layer_types"];
  if (types === undefined || types === null) {
    const first = json["max_window_layers"] === 0 ? 0 : fields.count("max_window_layers", 28);
    return none.map((_, layer) => (layer >= first ? window : undefined));
  }
  if (!Array.isArray(types) || types.length !== layers) throw fields.fail("layer_types", `a list of ${layers}`);
  return types.map((type) => {
    if (type === "sliding_attention") return window;
    if (type === "full_attention") return undefined;
    throw fields.fail("layer_types", "full_attention or sliding_attention for each layer");
  });
}

/**
 * Reads a Hugging Face `config.json` (transformers 4 or 5 style). Keys that are absent mean what transformers takes them
 * to mean, except the five sizes every model has. Throws a `UserError` of kind `model` that names `where` and the key.
 */
export function parseModelConfig(json: unknown, where: string): ModelConfig {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new UserError("model", `${where}: expected a JSON object, got ${JSON.stringify(json)?.slice(0, 40)}`);
  }
  const object = json as Json;
  const fields = new Fields(object, where);
  const family = FAMILIES.find((name) => name === object["model_type"]);
  if (family === undefined) throw fields.fail("model_type", `one of the supported families: ${FAMILIES.join(", ")}`);
  const activation = object["hidden_act"] ?? "silu";
  if (activation !== "silu" && activation !== "swish") throw fields.fail("hidden_act", "silu");
  if (fields.has("quantization_config")) {
    throw new UserError("model", `${where}: the weights are quantised (quantization_config), which is not supported`, {
      hint: "Use the model's float16, bfloat16 or float32 release.",
    });
  }
  const defaults = DEFAULTS[family];
  const hiddenSize = fields.count("hidden_size");
  const layers = fields.count("num_hidden_layers");
  const heads = fields.count("num_attention_heads");
  const kvHeads =
    object["num_key_value_heads"] === null ? heads : fields.count("num_key_value_heads", defaults.kvHeads ?? heads);
  if (heads % kvHeads !== 0) throw fields.fail("num_key_value_heads", `a divisor of num_attention_heads (${heads})`);
  const derived = object["head_dim"] === null || defaults.headDim === null ? hiddenSize / heads : defaults.headDim;
  if (!fields.has("head_dim") && !Number.isInteger(derived)) {
    throw fields.fail("hidden_size", `a multiple of num_attention_heads (${heads})`);
  }
  const headDim = fields.count("head_dim", derived);
  if (headDim % 2 !== 0) throw fields.fail("head_dim", "an even number");
  const maxPositions = fields.count("max_position_embeddings", defaults.maxPositions);
  const attentionBias = (family === "llama" || family === "qwen3") && fields.flag("attention_bias");
  return {
    family,
    vocabSize: fields.count("vocab_size"),
    hiddenSize,
    intermediateSize: fields.count("intermediate_size"),
    layers,
    heads,
    kvHeads,
    headDim,
    normEpsilon: fields.positive("rms_norm_eps", 1e-6),
    maxPositions,
    rotary: parseRotary(object, headDim, maxPositions, where),
    tiedHead: fields.flag("tie_word_embeddings"),
    qkvBias: family === "qwen2" || attentionBias,
    outputBias: attentionBias,
    mlpBias: family === "llama" && fields.flag("mlp_bias"),
    qkNorm: family === "qwen3",
    slidingWindow: slidingWindows(family, object, fields, layers),
    bosTokenId: fields.tokens("bos_token_id", defaults.bosTokenId)[0],
    eosTokenIds: fields.tokens("eos_token_id", defaults.eosTokenId),
  };
}
