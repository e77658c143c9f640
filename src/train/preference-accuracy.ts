/**
 * Smallest difference of scores that is not a tie. Scores of the same adapter in another batch or session differ by about
 * 1e-6 in float32.
 */
const SMALLEST_MARGIN = 1e-5;

/**
 * Computes the share of pairs, 0 to 1, in which the chosen answer has the higher score. A pair with a difference below `tie`
 * counts ½, so a model that cannot tell the answers apart is at chance. Throws an Error for no pairs and for lists of unlike
 * length.
 */
export function preferenceAccuracy(
  chosen: readonly number[],
  rejected: readonly number[],
  { tie = SMALLEST_MARGIN }: { readonly tie?: number } = {},
): number {
  if (chosen.length === 0 || chosen.length !== rejected.length) {
    throw new Error(`${chosen.length} chosen and ${rejected.length} rejected scores cannot be compared`);
  }
  const right = chosen.reduce((sum, score, i) => {
    const margin = score - rejected[i]!;
    return sum + (Math.abs(margin) < tie ? 0.5 : margin > 0 ? 1 : 0);
  }, 0);
  return right / chosen.length;
}
