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
 * An adapter as `decodingGraph` takes it. Every B is transposed, [rank, out]: one row times it is a run along memory. Of
 * modules that are computed as one, the As lie below each other [n·rank, in], and the Bs are blocks of one matrix
 * [n·rank, Σout] that is zero elsewhere.
 */
export function joinAdapter(config: ModelConfig, lora: LoraShape, adapter: Params): Params {
  const { rank } = lora;
  const { hiddenSize, layers } = config;
  const tensor = (name: string): Tensor => {
    const found = adapter.get(name);
    if (found === undefined) throw new Error(`the adapter has no tensor ${name}`);
    return found;
  };
  const joined = new Map<string, Tensor>();
  const left = new Set(lora.modules);
  for (let layer = 0; layer < layers; layer++) {
    const group = joinedProjections(config, layer);
    const rows = joinedRank(group, lora);
    if (rows === 0) continue;
    const width = group.modules.reduce((sum, { out }) => sum + out, 0);
    const a = new Float32Array(rows * hiddenSize);
    const b = new Float32Array(rows * width);
    let [row, column] = [0, 0];
    for (const { module, out } of group.modules) {
      if (left.delete(module)) {
        const names = loraNames(module);
        a.set(tensor(names.a).data, row * hiddenSize);
        transpose(tensor(names.b), b, row * width + column, width);
        row += rank;
      }
      column += out;
    }
    const names = loraNames(group.name);
    joined.set(names.a, { shape: [rows, hiddenSize], data: a });
    joined.set(names.b, { shape: [rows, width], data: b });
  }
  for (const module of left) {
    const names = loraNames(module);
    const b = tensor(names.b);
    const [out] = b.shape as [number];
    const data = new Float32Array(out * rank);
    transpose(b, data, 0, out);
    joined.set(names.a, tensor(names.a)).set(names.b, { shape: [rank, out], data });
  }
  return joined;
}

/** Writes the transposed matrix, its first element at `from`, into rows of `width`. */
function transpose({ shape, data }: Tensor, into: Float32Array, from: number, width: number): void {
  const [rows, columns] = shape as [number, number];
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) into[from + j * width + i] = data[i * columns + j]!;
  }
}
