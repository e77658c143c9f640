import { type Params, type Tensor, zerosLike } from "../../tensor/params.ts";
import type { Updates } from "../aggregator.ts";
import { chunksOf, columnsOf, NUMBERS_IN_MEMORY, pairChunks, type Slice } from "./chunks.ts";
import { addProducts, dot, emptyGram, type Gram, relativeToLast } from "./gram.ts";
import { loraPairs } from "./lora-pairs.ts";

export interface DistanceOptions {
  /** More changes, behind those of the updates. Default: none. */
  readonly more?: readonly Params[] | undefined;
  /** Most numbers in memory at once, beside one whole update. */
  readonly inMemory?: number | undefined;
}

/** The inner products of the changes of a group, taken number by number. In chunks: one pass over the updates for each. */
export async function gramOnFactors(
  updates: Updates,
  group: string,
  like: Params,
  { more = [], inMemory = NUMBERS_IN_MEMORY }: DistanceOptions = {},
): Promise<Gram> {
  const all = withMore(updates, group, more);
  const gram = emptyGram(all.entries.length);
  for (const chunk of chunksOf(like, inMemory / all.entries.length)) {
    addProducts(gram, await columnsOf(all, group, like, chunk));
  }
  return gram;
}

/**
 * The inner products of the changes that the updates make to the weights of the model: of s·B·A − s·B₀·A₀ for each module,
 * with (A₀, B₀) of `global`. No product is formed: ⟨s·B₁·A₁, s·B₂·A₂⟩ = s²·Σ (B₁ᵀ·B₂)∘(A₁·A₂ᵀ), r×r numbers, and changes
 * follow by inclusion–exclusion. The same model in other factors (c·B, A/c) has the same products. A tensor in no LoRA pair
 * counts number by number; so does a factor of which the partner is not in `global`, the tensors that updates change. `scales`: s
 * by the name of A; 1 where it has none.
 */
export async function gramOnProducts(
  updates: Updates,
  group: string,
  global: Params,
  {
    more = [],
    inMemory = NUMBERS_IN_MEMORY,
    scales,
  }: DistanceOptions & { readonly scales?: ReadonlyMap<string, number> | undefined } = {},
): Promise<Gram> {
  const all = withMore(updates, group, [...more, zerosLike(global, Float64Array)]);
  const size = all.entries.length;
  const gram = emptyGram(size);
  for (const chunk of pairChunks(global, inMemory / size)) {
    const factors = chunk.map((): Factors[] => []);
    for (let place = 0; place < size; place++) {
      const change = (await all.read(place))[group]!;
      for (const [i, { a, b }] of chunk.entries()) {
        factors[i]!.push({
          a: rowsOf(after(global.get(a)!, change.get(a)!)),
          b: columnsOfMatrix(after(global.get(b)!, change.get(b)!)),
        });
      }
    }
    for (const [i, { a }] of chunk.entries()) addInnerProducts(gram, factors[i]!, (scales?.get(a) ?? 1) ** 2);
  }
  const { others } = loraPairs(global);
  const plain = new Map(others.map((name) => [name, global.get(name)!]));
  for (const chunk of chunksOf(plain, inMemory / size)) {
    const base = chunk.flatMap((slice) => [...sliceOf(global, slice)]);
    const columns = await columnsOf(all, group, plain, chunk);
    addProducts(
      gram,
      columns.map((column) => column.map((x, i) => x + base[i]!)),
    );
  }
  return relativeToLast(gram);
}

/** The rows of A and the columns of B: `rank` vectors each. */
interface Factors {
  readonly a: readonly Float64Array[];
  readonly b: readonly Float64Array[];
}

function addInnerProducts(gram: readonly Float64Array[], factors: readonly Factors[], scale: number): void {
  for (const [i, one] of factors.entries()) {
    for (let j = 0; j <= i; j++) {
      const other = factors[j]!;
      let sum = 0;
      for (const [p, row] of one.a.entries()) {
        for (const [q, column] of other.b.entries()) sum += dot(one.b[p]!, column) * dot(row, other.a[q]!);
      }
      gram[i]![j]! += scale * sum;
      if (j < i) gram[j]![i]! += scale * sum;
    }
  }
}

function after({ shape, data }: Tensor, change: Tensor): Tensor {
  return { shape, data: Float64Array.from(data, (x, i) => x + change.data[i]!) };
}

function rowsOf({ shape: [rows, columns], data }: Tensor): Float64Array[] {
  return Array.from({ length: rows! }, (_, row) =>
    Float64Array.from(data.subarray(row * columns!, (row + 1) * columns!)),
  );
}

function columnsOfMatrix({ shape: [rows, columns], data }: Tensor): Float64Array[] {
  return Array.from({ length: columns! }, (_, column) => {
    const values = new Float64Array(rows!);
    for (let row = 0; row < rows!; row++) values[row] = data[row * columns! + column]!;
    return values;
  });
}

function sliceOf(params: Params, { name, from, to }: Slice): Float64Array {
  return Float64Array.from(params.get(name)!.data.subarray(from, to));
}

/** The updates, and changes behind them. */
function withMore({ entries, read }: Updates, group: string, more: readonly Params[]): Updates {
  return {
    entries: [...entries, ...more.map((_, i) => ({ client: `more ${i}`, records: 1 }))],
    read: async (place) => (place < entries.length ? read(place) : { [group]: more[place - entries.length]! }),
  };
}
