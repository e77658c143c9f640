import { UserError } from "../diagnostics/user-error.ts";
import { longRope, type Numbers, periods, type RotaryConfig, scaleLlama3, yarn } from "./rotary-scaling.ts";

type Json = Readonly<Record<string, unknown>>;

/** The default of transformers. */
const DEFAULT_THETA = 10_000;

/** 1 / theta^(2i/width) of every pair, float32. */
function baseFrequencies(theta: number, width: number): number[] {
  return periods({ theta, width }).map((period) => Math.fround(1 / period));
}

/** The inverse frequencies of a graph for sequences of at most `maxLength` tokens. */
export function frequenciesFor({ inverseFrequencies, long }: RotaryConfig, maxLength: number): readonly number[] {
  return long !== undefined && maxLength > long.beyond ? long.inverseFrequencies : inverseFrequencies;
}

/** The rotation as a configuration that was read and checked names it, for formats that work the frequencies out anew. */
export interface RotaryNames {
  readonly theta: number;
  readonly type: RotaryType;
  /** Factor of `linear`. */
  readonly factor: number;
}

const ROTARY_TYPES = ["default", "linear", "dynamic", "llama3", "yarn", "longrope"] as const;
export type RotaryType = (typeof ROTARY_TYPES)[number];

export function rotaryNames(json: Json, fallback: number = DEFAULT_THETA): RotaryNames {
  const rope = (json["rope_scaling"] || json["rope_parameters"] || {}) as Json;
  return {
    theta: (rope["rope_theta"] ?? json["rope_theta"] ?? fallback) as number,
    type: (rope["rope_type"] ?? rope["type"] ?? "default") as RotaryType,
    factor: (rope["factor"] ?? 1) as number,
  };
}

/** Factors that `llama3` divides each inverse frequency by: 1 for those that stay. */
export function rotaryDivisors({ inverseFrequencies }: RotaryConfig, theta: number): Float32Array {
  const base = baseFrequencies(theta, 2 * inverseFrequencies.length);
  return Float32Array.from(inverseFrequencies, (frequency, i) => base[i]! / frequency);
}

/** What a family's rotation differs in. */
export interface RotaryOptions {
  /** Base of the frequencies where `config.json` has none. Default 10,000. */
  readonly theta?: number;
  /** True: only the front of each head may be rotated (`partial_rotary_factor`). */
  readonly partial?: boolean;
  /** The value of `original_max_position_embeddings` where `config.json` has none outside of the rotation's own object. */
  readonly originalPositions?: number;
  /** Other names of types. */
  readonly aliases?: Readonly<Record<string, RotaryType>>;
  /** The types that the family has. Default: all. */
  readonly types?: readonly RotaryType[];
}

/**
 * Reads the inverse frequencies of a Hugging Face `config.json`: `rope_parameters` (transformers 5), or `rope_theta` and
 * `rope_scaling` with `rope_type` or `type`. Types: default, linear, dynamic, llama3, yarn, longrope (transformers
 * `modeling_rope_utils`). Throws a `UserError` of kind `model` that names `where`, for any other type.
 */
export function parseRotary(
  json: Json,
  headDim: number,
  maxPositions: number,
  where: string,
  options: RotaryOptions = {},
): RotaryConfig {
  const field = json["rope_scaling"] ? "rope_scaling" : "rope_parameters";
  const rope = (json[field] ?? {}) as Json;
  if (typeof rope !== "object") {
    throw new UserError("model", `${where}: ${field}: expected an object, got ${JSON.stringify(rope)}`);
  }
  for (const [key, value] of Object.entries(rope)) {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      throw new UserError(
        "model",
        `${where}: ${field}: '${key}' has frequencies for one kind of layer; only one set for all layers is supported`,
      );
    }
  }
  // Where the model's own config.json says the original length, it counts before that of the rotation.
  const original = json["original_max_position_embeddings"] ?? options.originalPositions;
  return readRotary(
    {
      rope_theta: json["rope_theta"],
      partial_rotary_factor: json["partial_rotary_factor"],
      ...withoutNull(rope),
      ...(original === undefined ? {} : { original_max_position_embeddings: original }),
    },
    { headDim, maxPositions, where: `${where}: ${field}`, options },
  );
}

/** A null of transformers means that the key is absent. */
function withoutNull(rope: Json): Json {
  return Object.fromEntries(Object.entries(rope).filter(([key, value]) => value !== null || key === "factor"));
}

/** Reads one set of rotary parameters. `where` names them in errors. */
export function readRotary(
  rope: Json,
  {
    headDim,
    maxPositions,
    where,
    options = {},
  }: {
    readonly headDim: number;
    readonly maxPositions: number;
    readonly where: string;
    readonly options?: RotaryOptions;
  },
): RotaryConfig {
  const fail = (problem: string): UserError => new UserError("model", `${where}: ${problem}`);
  const number = (key: string, fallback?: unknown): number => {
    const value = rope[key] ?? fallback;
    if (typeof value !== "number" || !(value > 0) || value === Infinity) {
      throw fail(`${key} must be a positive number, got ${JSON.stringify(value)}`);
    }
    return value;
  };
  const list = (key: string, length: number): readonly number[] => {
    const value = rope[key];
    if (!Array.isArray(value) || value.length !== length || !value.every((x) => typeof x === "number" && x > 0)) {
      throw fail(`${key} must be a list of ${length} positive numbers`);
    }
    return value;
  };
  const theta = number("rope_theta", options.theta ?? DEFAULT_THETA);
  const part = number("partial_rotary_factor", 1);
  if (part !== 1 && !(options.partial && part < 1)) {
    throw fail("partial_rotary_factor is not 1; rotation of only a part of a head is not supported");
  }
  const width = Math.trunc(headDim * part);
  if (width === 0) throw fail(`partial_rotary_factor ${part} leaves nothing of a head of ${headDim}`);
  const named = (rope["rope_type"] ?? rope["type"] ?? "default") as string;
  const types: readonly string[] = options.types ?? ROTARY_TYPES;
  const type = Object.hasOwn(options.aliases ?? {}, named) ? options.aliases![named]! : named;
  if (!types.includes(type)) {
    const legal = types.join(", ").replace(/, ([^,]*)$/, " and $1");
    throw fail(`rotary embedding type ${JSON.stringify(named)} is not supported; supported are ${legal}`);
  }
  const frequencies = baseFrequencies(theta, width);
  const originalPositions = (): number => number("original_max_position_embeddings", maxPositions);
  const numbers: Numbers = { number, given: (key) => rope[key] !== undefined, list };
  switch (type as RotaryType) {
    case "default":
      return { inverseFrequencies: frequencies };
    case "linear": {
      const factor = number("factor");
      return { inverseFrequencies: frequencies.map((frequency) => Math.fround(frequency / factor)) };
    }
    case "dynamic":
      // It changes sequences beyond the model's positions alone, and no graph is made for those.
      number("factor");
      return { inverseFrequencies: frequencies };
    case "llama3": {
      const scaling = {
        factor: number("factor"),
        lowFreqFactor: number("low_freq_factor"),
        highFreqFactor: number("high_freq_factor"),
        originalPositions: originalPositions(),
      };
      return { inverseFrequencies: frequencies.map((frequency) => Math.fround(scaleLlama3(frequency, scaling))) };
    }
    case "yarn": {
      const original = originalPositions();
      const factor = rope["factor"] === null ? maxPositions / original : number("factor");
      return yarn({ theta, width, factor, original, truncate: rope["truncate"] !== false }, numbers);
    }
    default: {
      // longrope
      const original = originalPositions();
      const factor = rope["factor"] == null ? maxPositions / original : number("factor");
      return longRope({ theta, width, factor, original }, numbers);
    }
  }
}
