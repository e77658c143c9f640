/** Places in ascending order of their values; of equal values the lowest place is first. */
export function ascending(values: ArrayLike<number>): number[] {
  return Array.from(values, (_, i) => i).sort((i, j) => values[i]! - values[j]! || i - j);
}

/** The middle of sorted values: of an even number the mean of the two in the middle. */
export function middle(sorted: ArrayLike<number>): number {
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** The median of values in any order. */
export function medianOf(values: readonly number[]): number {
  return middle(Float64Array.from(values).sort());
}
