import type { Params, Tensor } from "../tensor/params.ts";
import type { ModelConfig } from "./config.ts";
import { loraNames, type LoraShape } from "./lora.ts";

/** Linear modules of one input, computed as one product, in this order. */
export interface JoinedModules {
  readonly name: string;
  readonly modules: readonly { readonly module: string; readonly out: number }[];
}

/** The query, key and value projections of a layer. */
export function joinedProjections({ heads, kvHeads, headDim }: ModelConfig, layer: number): JoinedModules {
  const attention = `model.layers.${layer}.self_attn`;
  const projection = (kind: string, count: number): { module: string; out: number } => ({
    module: `${attention}.${kind}_proj`,
    out: count * headDim,
  });
  return {
    name: `${attention}.qkv_proj`,
    modules: [projection("q", heads), projection("k", kvHeads), projection("v", kvHeads)],
  };
}

/** Rows of the joined A: the ranks of the modules that are adapted. */
export function joinedRank({ modules }: JoinedModules, lora: LoraShape | undefined): number {
  return lora === undefined ? 0 : lora.rank * modules.filter(({ module }) => lora.modules.has(module)).length;
}

/**
 * An adapter as `decodingGraph` takes it: of modules that are computed as one, the As below each other [n·rank, in], and the
 * Bs as blocks of one matrix [Σout, n·rank] that is zero elsewhere. All other tensors are shared, not copied.
 */
export function joinAdapter(config: ModelConfig, lora: LoraShape, adapter: Params): Params {
  const joined = new Map(adapter);
  for (let layer = 0; layer < config.layers; layer++) {
    const group = joinedProjections(config, layer);
    const columns = joinedRank(group, lora);
    if (columns === 0) continue;
    const a = new Float32Array(columns * config.hiddenSize);
    const b = new Float32Array(columns * group.modules.reduce((sum, { out }) => sum + out, 0));
    let [row, column] = [0, 0];
    for (const { module, out } of group.modules) {
      if (lora.modules.has(module)) {
        const names = loraNames(module);
        const take = (name: string): Tensor["data"] => {
          const tensor = adapter.get(name);
          if (tensor === undefined) throw new Error(`the adapter has no tensor ${name}`);
          joined.delete(name);
          return tensor.data;
        };
        a.set(take(names.a), column * config.hiddenSize);
        const block = take(names.b);
        for (let i = 0; i < out; i++) {
          b.set(block.subarray(i * lora.rank, (i + 1) * lora.rank), (row + i) * columns + column);
        }
        column += lora.rank;
      }
      row += out;
    }
    const names = loraNames(group.name);
    joined.set(names.a, { shape: [columns, config.hiddenSize], data: a });
    joined.set(names.b, { shape: [row, columns], data: b });
  }
  return joined;
}
