/** The inner products of n vectors, n × n and symmetric. */
export type Gram = readonly Float64Array[];

export type Vector = ArrayLike<number>;

/** ⟨a, b⟩, summed in float64. */
export function dot(a: Vector, b: Vector): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** A Gram matrix of zeros. */
export function emptyGram(size: number): Float64Array[] {
  return Array.from({ length: size }, () => new Float64Array(size));
}

/** Adds the inner products of vectors to a Gram matrix, in place: of long vectors one chunk after the other. */
export function addProducts(gram: readonly Float64Array[], vectors: readonly Vector[]): void {
  for (let i = 0; i < vectors.length; i++) {
    for (let j = 0; j <= i; j++) {
      const product = dot(vectors[i]!, vectors[j]!);
      gram[i]![j]! += product;
      if (j < i) gram[j]![i]! += product;
    }
  }
}

/** The inner products of vectors of one length. */
export function gramOf(vectors: readonly Vector[]): Gram {
  const gram = emptyGram(vectors.length);
  addProducts(gram, vectors);
  return gram;
}

/** ‖x_i‖, from the diagonal. */
export function normsOf(gram: Gram): number[] {
  return gram.map((row, i) => Math.sqrt(Math.max(0, row[i]!)));
}

/** ‖x_i − x_j‖² = G_ii + G_jj − 2·G_ij; rounding below 0 is 0. */
export function squaredDistances(gram: Gram): Gram {
  return gram.map((row, i) => row.map((product, j) => Math.max(0, row[i]! + gram[j]![j]! - 2 * product)));
}

/** ‖Σ mix_i·x_i − x_j‖ for each j: √(mixᵀ·G·mix − 2·(G·mix)_j + G_jj), with no pass over the vectors. */
export function distancesFromMix(gram: Gram, mix: Vector): number[] {
  const products = gram.map((row) => dot(row, mix));
  const own = dot(products, mix);
  return gram.map((row, j) => Math.sqrt(Math.max(0, own - 2 * products[j]! + row[j]!)));
}

/** The Gram matrix of x_i − x_last for all i but the last: changes against the last vector, by inclusion–exclusion. */
export function relativeToLast(gram: Gram): Gram {
  const last = gram.length - 1;
  return gram
    .slice(0, last)
    .map((row, i) =>
      row.slice(0, last).map((product, j) => product - gram[i]![last]! - gram[last]![j]! + gram[last]![last]!),
    );
}
