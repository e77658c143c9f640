import { UserError } from "../diagnostics/user-error.ts";

type Json = Readonly<Record<string, unknown>>;

/** The default of transformers. */
const DEFAULT_THETA = 10_000;

/** Rotary position embedding, resolved: one inverse frequency per pair of dimensions. */
export interface RotaryConfig {
  /** `headDim / 2` inverse frequencies, scaling (`linear`, `llama3`) already applied. */
  readonly inverseFrequencies: readonly number[];
}

/** Computes 1 / theta^(2i/headDim), in float32 at every step, as PyTorch does. */
function baseFrequencies(theta: number, headDim: number): number[] {
  return Array.from({ length: headDim / 2 }, (_, i) =>
    Math.fround(1 / Math.fround(theta ** Math.fround((2 * i) / headDim))),
  );
}

interface Llama3Scaling {
  readonly factor: number;
  readonly lowFreqFactor: number;
  readonly highFreqFactor: number;
  /** Longest sequence of pre-training, in tokens. */
  readonly originalPositions: number;
}

/** Llama 3.1: short wavelengths stay, long ones are divided by `factor`, and the ones between are interpolated. */
function scaleLlama3(frequency: number, scaling: Llama3Scaling): number {
  const { factor, lowFreqFactor, highFreqFactor, originalPositions } = scaling;
  const wavelength = (2 * Math.PI) / frequency;
  if (wavelength < originalPositions / highFreqFactor) return frequency;
  if (wavelength > originalPositions / lowFreqFactor) return frequency / factor;
  const smooth = (originalPositions / wavelength - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
  return ((1 - smooth) * frequency) / factor + smooth * frequency;
}

/** The rotation as a configuration that was read and checked names it, for formats that work the frequencies out anew. */
export interface RotaryNames {
  readonly theta: number;
  readonly type: "default" | "linear" | "llama3";
  /** Factor of `linear`. */
  readonly factor: number;
}

export function rotaryNames(json: Json): RotaryNames {
  const rope = (json["rope_scaling"] || json["rope_parameters"] || {}) as Json;
  return {
    theta: (rope["rope_theta"] ?? json["rope_theta"] ?? DEFAULT_THETA) as number,
    type: (rope["rope_type"] ?? rope["type"] ?? "default") as RotaryNames["type"],
    factor: (rope["factor"] ?? 1) as number,
  };
}

/** Factors that `llama3` divides each inverse frequency by: 1 for those that stay. */
export function rotaryDivisors({ inverseFrequencies }: RotaryConfig, theta: number): Float32Array {
  const base = baseFrequencies(theta, 2 * inverseFrequencies.length);
  return Float32Array.from(inverseFrequencies, (frequency, i) => base[i]! / frequency);
}

/**
 * Reads the inverse frequencies of a Hugging Face `config.json`: `rope_parameters` (transformers 5), or `rope_theta` and
 * `rope_scaling` with `rope_type` or `type`. Types: default, linear, llama3 (transformers `modeling_rope_utils`).
 * Throws a `UserError` of kind `model` that names `where`, for any other type.
 */
export function parseRotary(json: Json, headDim: number, maxPositions: number, where: string): RotaryConfig {
  const field = json["rope_scaling"] ? "rope_scaling" : "rope_parameters";
  const rope = (json[field] ?? {}) as Json;
  const fail = (problem: string): UserError => new UserError("model", `${where}: ${field}: ${problem}`);
  if (typeof rope !== "object") throw fail(`expected an object, got ${JSON.stringify(rope)}`);
  for (const [key, value] of Object.entries(rope)) {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      throw fail(`'${key}' has frequencies for one kind of layer; only one set for all layers is supported`);
    }
  }
  const number = (key: string, fallback?: unknown): number => {
    const value = rope[key] ?? fallback;
    if (typeof value !== "number" || !(value > 0) || value === Infinity) {
      throw fail(`${key} must be a positive number, got ${JSON.stringify(value)}`);
    }
    return value;
  };
  const theta = number("rope_theta", json["rope_theta"] ?? DEFAULT_THETA);
  if (number("partial_rotary_factor", json["partial_rotary_factor"] ?? 1) !== 1) {
    throw fail("partial_rotary_factor is not 1; rotation of only a part of a head is not supported");
  }
  const type = rope["rope_type"] ?? rope["type"] ?? "default";
  const frequencies = baseFrequencies(theta, headDim);
  switch (type) {
    case "default":
      return { inverseFrequencies: frequencies };
    case "linear": {
      const factor = number("factor");
      return { inverseFrequencies: frequencies.map((frequency) => Math.fround(frequency / factor)) };
    }
    case "llama3": {
      const scaling = {
        factor: number("factor"),
        lowFreqFactor: number("low_freq_factor"),
        highFreqFactor: number("high_freq_factor"),
        originalPositions: number("original_max_position_embeddings", maxPositions),
      };
      return { inverseFrequencies: frequencies.map((frequency) => Math.fround(scaleLlama3(frequency, scaling))) };
    }
    default:
      throw new UserError(
        "model",
        `${where}: rotary embedding type ${JSON.stringify(type)} is not supported; supported are default, linear and llama3`,
      );
  }
}
