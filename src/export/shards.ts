/** A weight in a file of several. */
interface Placed<T> {
  readonly weight: T;
  /** Its first byte among the weights of the file. */
  readonly offset: number;
}

/**
 * Deals weights in order to files of at most `most` bytes; a larger weight has a file of its own. Each begins at a multiple of
 * `page` bytes.
 */
export function dealToFiles<T>(
  weights: readonly T[],
  bytesOf: (weight: T) => number,
  most: number,
  page = 1,
): Placed<T>[][] {
  const files: Placed<T>[][] = [];
  let end = Infinity;
  for (const weight of weights) {
    let offset = Math.ceil(end / page) * page;
    if (offset + bytesOf(weight) > most) {
      files.push([]);
      offset = 0;
    }
    files.at(-1)!.push({ weight, offset });
    end = offset + bytesOf(weight);
  }
  return files;
}
