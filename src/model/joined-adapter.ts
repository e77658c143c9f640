import type { Params, Tensor } from "../tensor/params.ts";
import type { ModelConfig } from "./config.ts";
import type { LinearModule } from "./family.ts";
import { type JoinedLora, joinOf } from "./joined-lora.ts";
import { loraNames, type LoraShape } from "./lora.ts";
import { linearModules } from "./names.ts";

/**
 * Converts an adapter to the form that `decodingGraph` takes. For modules that are computed as one, the As are stacked to
 * [Σrank, in], and the Bs are blocks of one matrix [Σout, Σrank] that is zero elsewhere. All other tensors are shared, not
 * copied.
 */
export function joinAdapter(config: ModelConfig, lora: LoraShape, adapter: Params): Params {
  const groups = new Map<string, LinearModule[]>();
  for (const module of linearModules(config)) {
    if (module.joinedAs === undefined) continue;
    const group = groups.get(module.joinedAs);
    if (group === undefined) groups.set(module.joinedAs, [module]);
    else group.push(module);
  }
  const tensors = new Map(adapter);
  for (const modules of groups.values()) {
    const join = joinOf(modules, lora);
    if (join !== undefined && join.rank > 0) joinTensors(modules, join, lora, tensors);
  }
  return tensors;
}

/** Puts the joined tensors of modules in the place of their own. */
function joinTensors(
  modules: readonly LinearModule[],
  join: JoinedLora,
  lora: LoraShape,
  tensors: Map<string, Tensor>,
): void {
  const take = (name: string): Float32Array => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new Error(`the adapter has no tensor ${name}`);
    tensors.delete(name);
    return tensor.data as Float32Array;
  };
  const width = modules[0]!.in;
  const rows = modules.reduce((sum, { out }) => sum + out, 0);
  const a = new Float32Array(join.rank * width);
  const b = new Float32Array(rows * join.rank);
  let row = 0;
  let column = 0;
  for (const { name, out } of modules) {
    const rank = lora.modules.get(name)?.rank;
    if (rank !== undefined) {
      const names = loraNames(name);
      a.set(take(names.a), column * width);
      const own = take(names.b);
      for (let i = 0; i < out; i++) b.set(own.subarray(i * rank, (i + 1) * rank), (row + i) * join.rank + column);
      column += rank;
    }
    row += out;
  }
  const names = loraNames(join.name);
  tensors.set(names.a, { shape: [join.rank, width], data: a }).set(names.b, { shape: [rows, join.rank], data: b });
}
