/** A longer name is no misspelling of a legal one. */
const LONGEST_NAME = 100;
/** Bounds the work where there are very many legal names, such as the columns of a table: about 50 ms. */
const MOST_STEPS = 5_000_000;

/**
 * Edit distance with adjacent transpositions (Damerau–Levenshtein, optimal string alignment), where it is below `limit`;
 * else `limit`.
 */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  // Rows i − 2, i − 1 and i.
  let [before, last, row] = [[], [], Array.from({ length: b.length + 1 }, (_, j) => j)] as [
    number[],
    number[],
    number[],
  ];
  for (let i = 1; i <= a.length; i++) {
    [before, last, row] = [last, row, [i]];
    for (let j = 1; j <= b.length; j++) {
      const substitution = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let best = Math.min(last[j]! + 1, row[j - 1]! + 1, substitution);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, before[j - 2]! + 1);
      row.push(best);
    }
  }
  return Math.min(row[b.length]!, limit);
}

/**
 * Finds the legal name that a misspelt one most likely means; undefined where none is near. Case does not count. The work is
 * bounded for any input: names of more than 100 characters have no near one, and of very many legal names the first count.
 */
export function nearest(got: string, legal: Iterable<string>): string | undefined {
  if (got.length > LONGEST_NAME) return undefined;
  let best: string | undefined;
  // Changing most of a short name would make it any other.
  let bestDistance = Math.min(Math.max(2, Math.floor(got.length * 0.4)), Math.floor(got.length / 2)) + 1;
  let steps = 0;
  for (const name of legal) {
    if (Math.abs(got.length - name.length) >= bestDistance) continue;
    steps += got.length * name.length;
    if (steps > MOST_STEPS) break;
    const distance = editDistance(got.toLowerCase(), name.toLowerCase(), bestDistance);
    if (distance < bestDistance) [best, bestDistance] = [name, distance];
  }
  return best;
}
