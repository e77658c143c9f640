import type { ModelConfig } from "./config.ts";

/** How llama.cpp names and stores the models of one family (GGUF). */
export interface GgufRules<C extends ModelConfig = ModelConfig> {
  /** `general.architecture` */
  readonly architecture: string;
  /** Base of the rotation where `config.json` has none; absent: 10,000. */
  readonly theta?: number;
  /** Sizes and constants, by key without the architecture: whole numbers are uint32, `float` ones float32. */
  metadata(config: C): Readonly<Record<string, number | { readonly float: number }>>;
  /** GGUF name of a base weight's Hugging Face name. */
  tensorName(name: string): string;
  /** The change that a weight or the B of its adapter needs on the way. */
  change(config: C, name: string): GgufChange | undefined;
  /** What llama.cpp's model of this architecture lacks for a configuration; undefined where it has all. */
  lacks(config: C): string | undefined;
  /** Longest context in which llama.cpp attends as the model does; most of its architectures have no sliding windows. */
  wholeContext(config: C): number;
}

export type GgufChange =
  /** Rows of each head in pairs that llama.cpp rotates: (0, d/2), (1, d/2 + 1), … as neighbours. */
  | { readonly kind: "pair-rows"; readonly heads: number }
  /** The norm's factor is 1 + weight, which llama.cpp wants as one number. */
  | { readonly kind: "add-one" };

/** Reorders the rows of a matrix, or the elements of a bias, within each head, from Hugging Face's order to llama.cpp's. */
export function pairRows(data: Float32Array, rows: number, heads: number): Float32Array {
  return moved(data, rows, heads, (paired, apart) => [apart, paired]);
}

/** The way back: from llama.cpp's order to Hugging Face's. */
export function unpairRows(data: Float32Array, rows: number, heads: number): Float32Array {
  return moved(data, rows, heads, (paired, apart) => [paired, apart]);
}

/** Copies each row. `places` says from and to, of its places in llama.cpp's order and in Hugging Face's. */
function moved(
  data: Float32Array,
  rows: number,
  heads: number,
  places: (paired: number, apart: number) => readonly [from: number, to: number],
): Float32Array {
  const width = data.length / rows;
  const headRows = rows / heads;
  const half = headRows / 2;
  const out = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    const within = row % headRows;
    const [from, to] = places(row, row - within + (within % 2) * half + Math.floor(within / 2));
    out.set(data.subarray(from * width, (from + 1) * width), to * width);
  }
  return out;
}
