import { UserError } from "../diagnostics/user-error.ts";
import type { Params } from "../tensor/params.ts";

type Json = Readonly<Record<string, unknown>>;

/** Keys that choose modules, and that the tensors of a saved adapter answer. */
const CHOICES = ["layers_to_transform", "layers_pattern", "exclude_modules"];

const NAME = /^[\w.]+$/;

/** True for a configuration whose modules, ranks or alphas are given by more than names. */
export function hasPatterns(config: Json): boolean {
  const { target_modules: targets } = config;
  if (typeof targets === "string" && targets !== "all-linear" && !NAME.test(targets)) return true;
  if (CHOICES.some((key) => isGiven(config[key]))) return true;
  return ["rank_pattern", "alpha_pattern"].some((key) => keysOf(config[key]).some((name) => !NAME.test(name)));
}

/**
 * Writes PEFT's patterns out. Which modules are adapted, and at which rank, is what the tensors say, so of all patterns only
 * those of `alpha_pattern` are matched, as PEFT matches them: against the end of a name after a dot; the first one counts.
 *
 * @throws UserError("model") for a pattern that could take long to match.
 */
export function withoutPatterns(config: Json, params: Params, where: string): Json {
  const ranks = new Map<string, number>();
  for (const [name, { shape }] of params) {
    const module = /^base_model\.model\.(.+)\.lora_A\.weight$/.exec(name)?.[1];
    if (module !== undefined && shape[0] !== undefined) ranks.set(module, shape[0]);
  }
  if (ranks.size === 0) return config;
  const modules = [...ranks.keys()];
  const ownRanks = modules.filter((module) => ranks.get(module) !== (config["r"] ?? 8));
  const alphas = alphasOf(config["alpha_pattern"], modules, where);
  return {
    ...config,
    ...Object.fromEntries(CHOICES.map((key) => [key, null])),
    target_modules: modules,
    rank_pattern: Object.fromEntries(ownRanks.map((module) => [module, ranks.get(module)])),
    alpha_pattern: alphas,
  };
}

function alphasOf(given: unknown, modules: readonly string[], where: string): Record<string, unknown> {
  const patterns = keysOf(given).map((key) => ({ key, expression: expressionOf(key, where) }));
  const alphas: Record<string, unknown> = {};
  for (const module of modules) {
    const first = patterns.find(({ expression }) => expression.test(module));
    if (first !== undefined) alphas[module] = (given as Json)[first.key];
  }
  return alphas;
}

/**
 * A pattern as PEFT matches it. A stranger wrote it, and some expressions take time without end: repeated groups are
 * refused, and more than three repetitions.
 */
function expressionOf(pattern: string, where: string): RegExp {
  const repetitions = pattern.match(/[*+?{]/g)?.length ?? 0;
  const plain = pattern.length <= 200 && repetitions <= 3 && !/\)[*+?{]|\(\?|\\[^.\d_wdsWDS]|\\\d/.test(pattern);
  try {
    if (plain) return new RegExp(`^(?:.*\\.)?(?:${pattern})$`);
  } catch {
    // Refused below.
  }
  throw new UserError("model", `${where}: alpha_pattern has the pattern '${pattern}', which is not supported`, {
    hint: "Name the modules in alpha_pattern in its place, such as layers.0.self_attn.q_proj.",
  });
}

function keysOf(value: unknown): string[] {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? Object.keys(value) : [];
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null && (!Array.isArray(value) || value.length > 0) && value !== "";
}
