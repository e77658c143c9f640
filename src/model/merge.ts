import type { Adapter } from "./adapter.ts";
import { loraNames } from "./lora.ts";
import type { Weights } from "./weights.ts";

/** A weight of a model with its adapter merged in, float32. */
export interface MergedTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/**
 * Reads one weight of the base with the adapter merged in: W + scale·B·A, or W + scale·(B·A)ᵀ where W is [in, out]. Each
 * element of B·A is summed in float64 and the result is rounded once, so that it is as near to base and adapter apart as
 * float32 can be. Other weights are the base's.
 */
export async function readMerged(
  weights: Pick<Weights, "read">,
  name: string,
  adapter: Adapter | undefined,
): Promise<MergedTensor> {
  const { dtype, shape, data } = await weights.read(name);
  if (dtype !== "float32") throw new Error(`tensor ${name} is ${dtype}, expected float32`);
  const merged = { shape, data: data as Float32Array };
  const module = name.replace(/\.weight$/, "");
  const lora = name.endsWith(".weight") ? adapter?.shape.modules.get(module) : undefined;
  if (lora === undefined) return merged;
  const names = loraNames(module);
  const a = adapter!.params.get(names.a)!.data;
  const b = adapter!.params.get(names.b)!.data;
  const { rank, scale, transposed = false } = lora;
  const [rows, columns] = shape as [number, number];
  // (B·A)ᵀ = Aᵀ·Bᵀ.
  const [left, right] = transposed ? [turned(a, rank, rows), turned(b, columns, rank)] : [b, a];
  addLowRank(merged.data, { a: right, b: left, rows, columns, rank, scale });
  return merged;
}

/** [rows, columns] → [columns, rows]. */
function turned(data: ArrayLike<number>, rows: number, columns: number): Float32Array {
  return Float32Array.from({ length: rows * columns }, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)]!);
}

interface LowRank {
  readonly a: ArrayLike<number>;
  readonly b: ArrayLike<number>;
  readonly rows: number;
  readonly columns: number;
  readonly rank: number;
  readonly scale: number;
}

/** w ← w + scale·b·a, in place: the weights are a copy that nobody else has. */
function addLowRank(w: Float32Array, { a, b, rows, columns, rank, scale }: LowRank): void {
  const sum = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    sum.fill(0);
    for (let r = 0; r < rank; r++) {
      const factor = scale * b[row * rank + r]!;
      const start = r * columns;
      for (let column = 0; column < columns; column++) sum[column]! += factor * a[start + column]!;
    }
    const start = row * columns;
    for (let column = 0; column < columns; column++) w[start + column] = w[start + column]! + sum[column]!;
  }
}
