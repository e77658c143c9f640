import type { Value } from "../graph/value.ts";
import type { LinearModule } from "./family.ts";
import { dropoutFeed } from "./feeds.ts";
import { joinOf } from "./joined-lora.ts";
import { loraNames, type LoraModule } from "./lora.ts";
import type { ModelGraph } from "./model-graph.ts";

/**
 * factor·(x·Wᵀ + bias + scale·(dropout(x)·Aᵀ)·Bᵀ) + residual; bias, LoRA and residual only where there is one. The factor is
 * 1 unless it is given.
 */
export function linear(graph: ModelGraph, x: Value, module: LinearModule, residual?: Value, factor = 1): Value {
  const { builder } = graph;
  const { transposed = false } = module;
  const shape = transposed ? [module.in, module.out] : [module.out, module.in];
  const weight = builder.parameter(`${module.name}.weight`, shape);
  const addends = [
    ...(module.bias ? [scaled(graph, builder.parameter(`${module.name}.bias`, [module.out]), factor)] : []),
    ...(residual === undefined ? [] : [residual]),
  ];
  // The matrix product adds one of them itself, which saves a pass over memory.
  let y = builder.op("gemm", [x, weight, ...addends.slice(0, 1)], {
    ...(transposed ? {} : { transB: true }),
    ...(factor === 1 ? {} : { alpha: factor }),
  });
  if (addends.length === 2) y = builder.op("add", [y, residual!], {});
  const lora = graph.lora?.modules.get(module.name);
  return lora === undefined ? y : adapted(graph, x, y, module.name, { ...lora, scale: factor * lora.scale });
}

/** factor·x. */
function scaled(graph: ModelGraph, x: Value, factor: number): Value {
  if (factor === 1) return x;
  const constant = graph.constant(`factor.${factor}`, [], () => Float32Array.of(factor));
  return graph.builder.op("scaleBy", [x, constant], {});
}

/**
 * Computes linear layers of one input in as few products as is fastest for decoding. `split` divides each product's output;
 * its columns are those of its modules, side by side.
 */
export function joinedLinears(
  graph: ModelGraph,
  x: Value,
  modules: readonly LinearModule[],
  split: (y: Value, modules: readonly LinearModule[]) => readonly Value[],
): readonly Value[] {
  const join = joinOf(modules, graph.lora);
  if (join === undefined) return modules.flatMap((module) => split(linear(graph, x, module), [module]));
  const { builder } = graph;
  const rows = (parts: readonly Value[]): Value => builder.op("joinRows", parts, {});
  const weights = modules.map(({ name, in: width, out }) => builder.parameter(`${name}.weight`, [out, width]));
  const biases = modules.filter(({ bias }) => bias).map(({ name, out }) => builder.parameter(`${name}.bias`, [out]));
  const addends = biases.length === 0 ? [] : [rows(biases)];
  const y = builder.op("gemm", [x, rows(weights), ...addends], { transB: true });
  return split(join.rank === 0 ? y : adapted(graph, x, y, join.name, join), modules);
}

/** y + scale·(dropout(x)·Aᵀ)·Bᵀ. */
function adapted(graph: ModelGraph, x: Value, y: Value, module: string, { rank, scale }: LoraModule): Value {
  const { builder } = graph;
  const names = loraNames(module);
  const a = graph.trainable(names.a, [rank, x.shape[1]!]);
  const b = graph.trainable(names.b, [y.shape[1]!, rank]);
  const mask = graph.dropout ? builder.input(dropoutFeed(module), "float32", x.shape) : undefined;
  const dropped = mask === undefined ? x : builder.op("multiply", [x, mask], {});
  const low = builder.op("gemm", [dropped, a], { transB: true });
  const changed = builder.op("gemm", [low, b, y], { transB: true, alpha: scale });
  graph.loraSites.push({ ...names, x: dropped, low, y: changed, scale });
  return changed;
}
