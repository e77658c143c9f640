import { nearest } from "../diagnostics/nearest.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { firstNonFinite, type Params, type Tensor } from "../tensor/params.ts";
import { formatShape, sameShape } from "../tensor/shape.ts";
import { stream } from "../tensor/random.ts";
import type { ModelConfig } from "./config.ts";
import type { LinearModule } from "./family.ts";
import { type LoraModule, loraNames, type LoraShape } from "./lora.ts";
import { linearModules } from "./names.ts";

/** A LoRA adapter's shape and strength: W x becomes W x + scale · B A dropout(x). */
export interface AdapterConfig {
  readonly rank: number;
  readonly alpha: number;
  /** Probability that training zeroes an element of an adapted layer's input, in [0, 1). */
  readonly dropout: number;
  /** Names of modules, whole or from a dot on (`q_proj`); `all-linear`: every linear layer but the LM head. */
  readonly targets: readonly string[] | "all-linear";
  /** Scale by alpha/√rank (Kalajdzievski 2023) instead of alpha/rank. */
  readonly rsLora: boolean;
  /**
   * Ranks and alphas of single modules, by name, whole or from a dot on, as in `targets`. The first name that matches counts
   * (PEFT's `rank_pattern` and `alpha_pattern`).
   */
  readonly rankPattern?: Readonly<Record<string, number>>;
  readonly alphaPattern?: Readonly<Record<string, number>>;
}

/** An adapter's tensors with their ranks and scales, which a graph needs. */
export interface Adapter {
  readonly shape: LoraShape;
  readonly params: Params;
}

/** An adapter as it is stored, without its base. */
export interface StoredAdapter {
  readonly config: AdapterConfig;
  readonly params: Params;
  /** SHA-256 of the stored tensors, hex. */
  readonly hash: string;
}

/** True where PEFT's rule for a list of targets takes this module. */
function matches(module: string, target: string): boolean {
  return module === target || module.endsWith(`.${target}`);
}

/** Lists every legal target: `q_proj`, `self_attn.q_proj`, … up to the full name. */
function legalTargets(modules: readonly LinearModule[]): Set<string> {
  const short = new Set<string>(["all-linear"]);
  const full = new Set<string>();
  for (const { name } of modules) {
    const parts = name.split(".");
    short.add(parts.at(-1)!).add(parts.slice(-2).join("."));
    full.add(name);
  }
  return new Set([...short, ...full]);
}

/**
 * Finds the modules that an adapter changes, in the order data passes them. A target takes the module of this name and every
 * module whose name ends with a dot and the target. Throws a `UserError` of kind `model` for a target that takes none, with
 * the nearest legal name.
 */
export function targetModules(model: ModelConfig, targets: AdapterConfig["targets"]): readonly LinearModule[] {
  const modules = linearModules(model);
  if (targets === "all-linear") return modules;
  if (targets.length === 0) throw new UserError("model", "the adapter has no target modules");
  for (const target of targets) {
    if (modules.some(({ name }) => matches(name, target))) continue;
    const near = nearest(target, legalTargets(modules));
    const legal = [...new Set(modules.map(({ name }) => name.split(".").at(-1)!))];
    throw new UserError(
      "model",
      `the adapter's target '${target}' matches no linear layer of the ${model.family} model`,
      {
        hint: `${near === undefined ? "" : `Did you mean '${near}'? `}Legal: ${legal.join(", ")}, or all-linear.`,
      },
    );
  }
  return modules.filter(({ name }) => targets.some((target) => matches(name, target)));
}

/** Derives rank and scale of one adapted module. */
function loraOf(adapter: AdapterConfig, module: string): LoraModule {
  const own = (pattern: Readonly<Record<string, number>> | undefined): number | undefined =>
    Object.entries(pattern ?? {}).find(([name]) => matches(module, name))?.[1];
  const rank = own(adapter.rankPattern) ?? adapter.rank;
  const alpha = own(adapter.alphaPattern) ?? adapter.alpha;
  return { rank, scale: alpha / (adapter.rsLora ? Math.sqrt(rank) : rank) };
}

/** Derives the ranks and scales of the adapted modules. Throws a `UserError` of kind `model` for a target that no module matches. */
export function loraShape(adapter: AdapterConfig, model: ModelConfig): LoraShape {
  return {
    modules: new Map(
      targetModules(model, adapter.targets).map(({ name, transposed }) => [
        name,
        { ...loraOf(adapter, name), ...(transposed ? { transposed } : {}) },
      ]),
    ),
  };
}

/** Derives name → shape of an adapter's tensors, PEFT's names: lora_A [rank, in] and lora_B [out, rank] of each module. */
export function adapterShapes(adapter: AdapterConfig, model: ModelConfig): ReadonlyMap<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  for (const module of targetModules(model, adapter.targets)) {
    const { a, b } = loraNames(module.name);
    const { rank } = loraOf(adapter, module.name);
    shapes.set(a, [rank, module.in]);
    shapes.set(b, [module.out, rank]);
  }
  return shapes;
}

/**
 * Makes a fresh adapter, which changes nothing: B is zero; A is PEFT's kaiming_uniform(a=√5), uniform in ±1/√in. Each tensor
 * is a function of the seed and its own name alone.
 */
export function initAdapter(adapter: AdapterConfig, model: ModelConfig, seed: number): Params {
  const params = new Map<string, Tensor>();
  for (const [name, shape] of adapterShapes(adapter, model)) {
    const data = new Float32Array(shape[0]! * shape[1]!);
    if (name.endsWith(".lora_A.weight")) {
      const random = stream(seed, "adapter", name);
      const bound = 1 / Math.sqrt(shape[1]!);
      for (let i = 0; i < data.length; i++) data[i] = bound * (2 * random.uniform() - 1);
    }
    params.set(name, { shape, data });
  }
  return params;
}

/**
 * Checks that `params` are exactly the tensors of this adapter on this model, all finite. Throws a `UserError` of kind
 * `model` that names `where`, the tensor and both shapes.
 */
export function checkAdapter(params: Params, adapter: AdapterConfig, model: ModelConfig, where = "adapter"): void {
  const expected = adapterShapes(adapter, model);
  const fail = (problem: string): UserError =>
    new UserError("model", `${where}: tensor ${problem}`, {
      hint: "Use the base model that the adapter was trained on, and the adapter_config.json that was saved with it.",
    });
  for (const [name, shape] of expected) {
    const got = params.get(name)?.shape;
    if (got === undefined) throw fail(`${name} is missing, expected ${formatShape(shape)}`);
    if (!sameShape(got, shape)) throw fail(`${name} is ${formatShape(got)}, expected ${formatShape(shape)}`);
  }
  for (const [name, { shape }] of params) {
    if (!expected.has(name)) throw fail(`${name} ${formatShape(shape)} belongs to no target of the adapter`);
  }
  const bad = firstNonFinite(params);
  if (bad !== undefined) throw fail(`${bad} has values that are not finite`);
}
