import { type Gram, squaredDistances } from "./gram.ts";
import { ascending } from "./order.ts";

/**
 * Krum's score of each place among `among`: the sum of the n − f − 2 least squared distances to the others, at least one
 * of them (Blanchard et al. 2017, "Machine learning with adversaries", section 4). n is the number of places.
 */
export function krumScores(
  distances: Gram,
  hostile: number,
  among: readonly number[] = [...distances.keys()],
): number[] {
  const nearest = Math.max(1, among.length - hostile - 2);
  return among.map((i) => {
    const others = Float64Array.from(
      among.filter((j) => j !== i),
      (j) => distances[i]![j]!,
    ).sort();
    return others.subarray(0, nearest).reduce((sum, distance) => sum + distance, 0);
  });
}

/** The place with the least score; of equal ones the lowest. */
export function krumChoice(gram: Gram, hostile: number): number {
  return ascending(krumScores(squaredDistances(gram), hostile))[0]!;
}

/** The places with the `count` least scores, in ascending order. */
export function multiKrumChoice(gram: Gram, hostile: number, count: number): number[] {
  return ascending(krumScores(squaredDistances(gram), hostile))
    .slice(0, count)
    .sort((i, j) => i - j);
}

/**
 * Bulyan's n − 2f places, in the order of their choice: Krum again and again on what is left (El Mhamdi et al. 2018, "The
 * hidden vulnerability of distributed learning in Byzantium", algorithm 2). One Multi-Krum makes another choice.
 */
export function bulyanChoice(gram: Gram, hostile: number): number[] {
  const distances = squaredDistances(gram);
  const left = [...gram.keys()];
  const chosen: number[] = [];
  while (chosen.length < gram.length - 2 * hostile) {
    const best = ascending(krumScores(distances, hostile, left))[0]!;
    chosen.push(...left.splice(best, 1));
  }
  return chosen;
}
