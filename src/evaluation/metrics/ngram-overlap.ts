/**
 * Finds, for each place of `text`, the length of the longest run ending there that also occurs in one of `sources`. No run
 * crosses from one source into the next. Time: the sources' length times how often the text has each of their tokens.
 */
export function matchLengths(text: ArrayLike<number>, sources: Iterable<ArrayLike<number>>): Int32Array {
  const places = new Map<number, number[]>();
  for (let i = 0; i < text.length; i++) {
    const own = places.get(text[i]!);
    if (own === undefined) places.set(text[i]!, [i]);
    else own.push(i);
  }
  const longest = new Int32Array(text.length);
  // running[i + 1]: length of the common run that ends at place i and at the source's latest token.
  const running = new Int32Array(text.length + 1);
  for (const source of sources) {
    running.fill(0);
    let active: readonly number[] = [];
    for (let at = 0; at < source.length; at++) {
      const matching = places.get(source[at]!) ?? [];
      // Read before they are written: a place goes on from the run that ended before it.
      const lengths = matching.map((i) => running[i]! + 1);
      for (const i of active) running[i + 1] = 0;
      matching.forEach((i, k) => {
        running[i + 1] = lengths[k]!;
        longest[i] = Math.max(longest[i]!, lengths[k]!);
      });
      active = matching;
    }
  }
  return longest;
}

export interface NgramOverlap {
  /** n-grams of the text; 0 for one shorter than n. */
  readonly ngrams: number;
  /** n-grams that occur in a source. */
  readonly shared: number;
  /** Tokens of the longest run that text and sources have in common. */
  readonly longestRun: number;
  /** Place in the text right behind that run; 0 where there is none. */
  readonly longestRunEnd: number;
}

/** Measures the copied part of a text: every n-gram of it counts, at each of its places. */
export function ngramOverlap(text: ArrayLike<number>, sources: Iterable<ArrayLike<number>>, n: number): NgramOverlap {
  const lengths = matchLengths(text, sources);
  let shared = 0;
  let end = 0;
  lengths.forEach((length, i) => {
    if (i >= n - 1 && length >= n) shared++;
    if (length > (lengths[end - 1] ?? 0)) end = i + 1;
  });
  return { ngrams: Math.max(0, text.length - n + 1), shared, longestRun: lengths[end - 1] ?? 0, longestRunEnd: end };
}
