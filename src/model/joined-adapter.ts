import type { Params, Tensor } from "../tensor/params.ts";
import type { ModelConfig } from "./config.ts";
import { loraNames, type LoraShape } from "./lora.ts";

/** Linear modules of one input that decoding computes as one product, in this order. */
export interface JoinedModules {
  readonly name: string;
  readonly modules: readonly { readonly module: string; readonly out: number }[];
}

/** The query, key and value projections of a layer. */
export function joinedProjections({ heads, kvHeads, headDim }: ModelConfig, layer: number): JoinedModules {
  const attention = `model.layers.${layer}.self_attn`;
  const projection = (kind: string, count: number): JoinedModules["modules"][number] => ({
    module: `${attention}.${kind}_proj`,
    out: count * headDim,
  });
  return {
    name: `${attention}.qkv_proj`,
    modules: [projection("q", heads), projection("k", kvHeads), projection("v", kvHeads)],
  };
}

/** Rows of the joined A: the ranks of those modules that are adapted. */
export function joinedRank({ modules }: JoinedModules, lora: LoraShape | undefined): number {
  return lora === undefined ? 0 : lora.rank * modules.filter(({ module }) => lora.modules.has(module)).length;
}

/**
 * Whether decoding computes a layer's projections as one. The zeros in the joined B cost more than the nodes it saves from
 * a rank of some 32 on, which is where this ends.
 */
export function joins(group: JoinedModules, lora: LoraShape | undefined): boolean {
  return joinedRank(group, lora) <= 32;
}

/**
 * An adapter as `decodingGraph` takes it: of modules that are computed as one, the As lie below each other [n·rank, in], and
 * the Bs are blocks of one matrix [Σout, n·rank] that is zero elsewhere. All other tensors are shared, not copied.
 */
export function joinAdapter(config: ModelConfig, lora: LoraShape, adapter: Params): Params {
  const joined = new Map(adapter);
  for (let layer = 0; layer < config.layers; layer++) {
    const group = joinedProjections(config, layer);
    if (joinedRank(group, lora) > 0 && joins(group, lora)) joinGroup(group, lora, joined);
  }
  return joined;
}

/** Puts the joined tensors of a group in the place of its modules' own. */
function joinGroup(group: JoinedModules, lora: LoraShape, tensors: Map<string, Tensor>): void {
  const take = (name: string): Tensor => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new Error(`the adapter has no tensor ${name}`);
    tensors.delete(name);
    return tensor;
  };
  const columns = joinedRank(group, lora);
  const rows = group.modules.reduce((sum, { out }) => sum + out, 0);
  const parts: Tensor[] = [];
  const b = new Float32Array(rows * columns);
  let row = 0;
  for (const { module, out } of group.modules) {
    if (lora.modules.has(module)) {
      const names = loraNames(module);
      const { data } = take(names.b);
      for (let i = 0; i < out; i++) {
        const at = (row + i) * columns + parts.length * lora.rank;
        b.set(data.subarray(i * lora.rank, (i + 1) * lora.rank), at);
      }
      parts.push(take(names.a));
    }
    row += out;
  }
  const width = parts[0]!.shape[1]!;
  const a = new Float32Array(columns * width);
  parts.forEach(({ data }, i) => a.set(data, i * lora.rank * width));
  const names = loraNames(group.name);
  tensors.set(names.a, { shape: [columns, width], data: a }).set(names.b, { shape: [rows, columns], data: b });
}
