import { UserError } from "../diagnostics/user-error.ts";
import type { Params } from "../tensor/params.ts";
import type { AdapterConfig } from "./adapter.ts";

/** The order in which adapters have always named these modules; those of other families follow. */
const ALL_LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

/** GPT-2's modules, whose weights are [in, out]. PEFT wants to be told, and warns where it is not. */
const CONV1D = new Set(["c_attn", "c_fc", "c_proj"]);

/** Initialisations that do not change the base weights. The others (PiSSA, OLoRA, LoftQ, CorDA, …) train against changed ones. */
const NEUTRAL_INITS = new Set<unknown>([true, false, null, undefined, "gaussian", "eva", "orthogonal"]);

/** Keys that do not change what a saved adapter computes. */
const INFORMATIVE = new Set([
  "auto_mapping",
  "base_model_name_or_path",
  "eva_config",
  // PEFT corrects it by the kind of each adapted layer.
  "fan_in_fan_out",
  "inference_mode",
  "megatron_config",
  "megatron_core",
  "peft_version",
  "qalora_group_size",
  "revision",
  "runtime_config",
]);

/** Keys that are read or checked below. */
const HANDLED = new Set([
  "peft_type",
  "task_type",
  "r",
  "lora_alpha",
  "lora_dropout",
  "target_modules",
  "use_rslora",
  "bias",
  "init_lora_weights",
  "rank_pattern",
  "alpha_pattern",
]);

/** Keys that must not be set, with the reason. */
const REFUSED: Readonly<Record<string, string>> = {
  use_dora: "DoRA adapters have a magnitude vector, which is not supported",
  modules_to_save: "whole modules trained beside the adapter are not supported",
  lora_bias: "biases in the adapter are not supported",
  layers_to_transform: "chosen layers are read of adapters that have their tensors beside",
  exclude_modules: "excluded modules are read of adapters that have their tensors beside",
  layer_replication: "replicated layers are not supported",
  trainable_token_indices: "trained token embeddings are not supported",
  target_parameters: "adapters of bare parameters are not supported",
};

function isSet(value: unknown): boolean {
  if (value === undefined || value === null || value === false) return false;
  return typeof value !== "object" || Object.keys(value).length > 0;
}

function parseTargets(value: unknown, fail: (problem: string) => UserError): AdapterConfig["targets"] {
  if (value === "all-linear") return value;
  if (typeof value === "string") {
    if (!/^[\w.]+$/.test(value)) {
      throw fail(`target_modules is the pattern '${value}', expected a list of module names or all-linear`);
    }
    return [value];
  }
  if (Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === "string")) {
    return [...value].sort();
  }
  throw fail(`target_modules is ${JSON.stringify(value)}, expected a list of module names`);
}

/** Reads the numbers of single modules (`rank_pattern`, `alpha_pattern`). Only names are read; PEFT takes regular expressions. */
function parsePattern(
  config: Readonly<Record<string, unknown>>,
  key: string,
  legal: (value: number) => boolean,
  expected: string,
  fail: (problem: string) => UserError,
): Readonly<Record<string, number>> | undefined {
  const value = config[key];
  if (!isSet(value)) return undefined;
  if (typeof value !== "object" || Array.isArray(value)) {
    throw fail(`${key} is ${JSON.stringify(value)}, expected an object of numbers by module name`);
  }
  for (const [name, number] of Object.entries(value as object)) {
    if (!/^[\w.]+$/.test(name)) throw fail(`${key} names the pattern '${name}'; only names of modules are supported`);
    if (typeof number !== "number" || !legal(number)) {
      throw fail(`${key} gives ${name} ${JSON.stringify(number)}, expected ${expected}`);
    }
  }
  return value as Readonly<Record<string, number>>;
}

const WHOLE = "a whole number above 0";
const isWhole = (value: number): boolean => Number.isInteger(value) && value >= 1;

/**
 * Reads PEFT's `adapter_config.json`; absent keys have PEFT's defaults. Throws a `UserError` of kind `model` that names
 * `where`, for any setting with which the adapter would compute another result here than in PEFT.
 */
export function parsePeftConfig(json: unknown, where = "adapter_config.json"): AdapterConfig {
  const fail = (problem: string): UserError => new UserError("model", `${where}: ${problem}`);
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw fail("expected a JSON object");
  const config = json as Readonly<Record<string, unknown>>;
  if (config["peft_type"] !== "LORA") {
    throw fail(`peft_type is ${JSON.stringify(config["peft_type"])}; only LORA is supported`);
  }
  for (const [key, reason] of Object.entries(REFUSED)) {
    if (isSet(config[key])) throw fail(`${key} is set: ${reason}`);
  }
  const bias = config["bias"] ?? "none";
  if (bias !== "none") throw fail(`bias is ${JSON.stringify(bias)}: trained biases are not supported`);
  const task = config["task_type"] ?? "CAUSAL_LM";
  if (task !== "CAUSAL_LM") throw fail(`task_type is ${JSON.stringify(task)}; only CAUSAL_LM is supported`);
  const init = config["init_lora_weights"];
  if (!NEUTRAL_INITS.has(init)) {
    throw fail(`init_lora_weights is ${JSON.stringify(init)}: it changes the base weights, which is not supported`);
  }
  for (const [key, value] of Object.entries(config)) {
    const known = HANDLED.has(key) || INFORMATIVE.has(key) || Object.hasOwn(REFUSED, key);
    if (!known && isSet(value)) throw fail(`${key} is set, which is not a known setting`);
  }
  const rank = config["r"] ?? 8;
  if (typeof rank !== "number" || !isWhole(rank)) {
    throw fail(`r is ${JSON.stringify(rank)}, expected ${WHOLE}`);
  }
  const alpha = config["lora_alpha"] ?? 8;
  if (typeof alpha !== "number" || !(alpha > 0)) {
    throw fail(`lora_alpha is ${JSON.stringify(alpha)}, expected a number above 0`);
  }
  const dropout = config["lora_dropout"] ?? 0;
  if (typeof dropout !== "number" || !(dropout >= 0 && dropout < 1)) {
    throw fail(`lora_dropout is ${JSON.stringify(dropout)}, expected a number in [0, 1)`);
  }
  const targets = parseTargets(config["target_modules"], fail);
  const rankPattern = parsePattern(config, "rank_pattern", isWhole, WHOLE, fail);
  const alphaPattern = parsePattern(config, "alpha_pattern", (value) => value > 0, "a number above 0", fail);
  return {
    rank,
    alpha,
    dropout,
    targets,
    rsLora: isSet(config["use_rslora"]),
    ...(rankPattern === undefined ? {} : { rankPattern }),
    ...(alphaPattern === undefined ? {} : { alphaPattern }),
  };
}

/** Expands `all-linear` as PEFT does: the last parts of all adapted modules' names. Other readers of the format know only lists. */
function allLinear(params: Params): string[] {
  const names = adaptedNames(params);
  const known = ALL_LINEAR.filter((name) => names.delete(name));
  return [...known, ...[...names].sort()];
}

/** The last parts of the adapted modules' names. */
function adaptedNames(params: Params): Set<string> {
  return new Set([...params.keys()].flatMap((name) => /([^.]+)\.lora_A\.weight$/.exec(name)?.[1] ?? []));
}

/**
 * Writes PEFT's `adapter_config.json` of an adapter with the tensors `params`, trained on the base model `baseName`.
 * Deterministic.
 */
export function toPeftConfig(adapter: AdapterConfig, params: Params, baseName: string): Record<string, unknown> {
  return {
    ...(isSet(adapter.alphaPattern) ? { alpha_pattern: adapter.alphaPattern } : {}),
    base_model_name_or_path: baseName,
    bias: "none",
    fan_in_fan_out: [...adaptedNames(params)].some((name) => CONV1D.has(name)),
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: adapter.alpha,
    lora_dropout: adapter.dropout,
    modules_to_save: null,
    peft_type: "LORA",
    r: adapter.rank,
    ...(isSet(adapter.rankPattern) ? { rank_pattern: adapter.rankPattern } : {}),
    target_modules: adapter.targets === "all-linear" ? allLinear(params) : [...adapter.targets].sort(),
    task_type: "CAUSAL_LM",
    use_dora: false,
    use_rslora: adapter.rsLora,
  };
}
