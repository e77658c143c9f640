import { distancesFromMix, type Gram, normsOf } from "./gram.ts";
import { medianOf } from "./order.ts";

/** min(1, bound/‖x_i‖) of each vector; 1 for a vector of zeros. */
export function boundFactors(gram: Gram, bound: number = medianOf(normsOf(gram))): number[] {
  return normsOf(gram).map((norm) => (norm > bound ? bound / norm : 1));
}

/**
 * The mix Σ mix_i·x_i that is the geometric median, from the Gram matrix alone: v ← Σ b_i·x_i/Σ b_i with b_i =
 * w_i/max(ν, ‖v − x_i‖), from the weighted mean on (smoothed Weiszfeld; Pillutla et al. 2022, "Robust aggregation for
 * federated learning", algorithm 2).
 */
export function geometricMedianMix(
  gram: Gram,
  weights: readonly number[],
  { smoothing = 1e-6, steps = 32 }: { readonly smoothing?: number; readonly steps?: number } = {},
): number[] {
  let mix = normalised(weights);
  const shares = mix;
  for (let step = 0; step < steps; step++) {
    const distances = distancesFromMix(gram, mix);
    mix = normalised(shares.map((share, i) => share / Math.max(smoothing, distances[i]!)));
  }
  return mix;
}

/**
 * The mix of centred clipping: v ← v + mean(clip(x_i − v, radius)), from the last vector of the Gram matrix on
 * (Karimireddy et al. 2021, "Learning from history for Byzantine robust optimization", equation 7). The last number is the
 * factor of that vector. Without a radius it is the median distance in the first step.
 */
export function centredClippingMix(gram: Gram, steps: number, radius?: number): number[] {
  const clients = gram.length - 1;
  let mix: number[] = gram.map((_, i) => (i === clients ? 1 : 0));
  let limit = radius;
  for (let step = 0; step < steps; step++) {
    const distances = distancesFromMix(gram, mix).slice(0, clients);
    limit ??= medianOf(distances);
    const clipped = distances.map((distance) => (distance > limit! ? limit! / distance : 1) / clients);
    const moved = clipped.reduce((sum, factor) => sum + factor, 0);
    mix = mix.map((factor, i) => factor * (1 - moved) + (clipped[i] ?? 0));
  }
  return mix;
}

/**
 * FLTrust: the trust max(0, cos(x_i, x_root)) of each vector, and its factor in Σ trust_i·(‖x_root‖/‖x_i‖)·x_i/Σ trust_i
 * (Cao et al. 2021, "FLTrust", equations 2 to 4). The root is the last vector of the Gram matrix. Without any trust all
 * factors are 0.
 */
export function trustFactors(gram: Gram): { readonly trust: number[]; readonly factors: number[] } {
  const norms = normsOf(gram);
  const root = norms.pop()!;
  const trust = norms.map((norm, i) => (norm > 0 && root > 0 ? Math.max(0, gram[i]!.at(-1)! / (norm * root)) : 0));
  const total = trust.reduce((sum, each) => sum + each, 0);
  return { trust, factors: trust.map((each, i) => (each > 0 ? (each * root) / (norms[i]! * total) : 0)) };
}

/**
 * FoolsGold's weights, 0 to 1, from the inner products of the clients' summed updates: who looks like another counts less
 * (Fung et al. 2020, "The limitations of federated learning in sybil settings", algorithm 1, with pardoning and logit, κ =
 * 1). Where all are equally alike nobody stands out, and all have weight 1.
 */
export function foolsGoldWeights(gram: Gram): number[] {
  const norms = normsOf(gram);
  const cosines = gram.map((row, i) =>
    Array.from(row, (product, j) => (i === j || product === 0 ? 0 : product / (norms[i]! * norms[j]!))),
  );
  const highest = cosines.map((row) => Math.max(...row));
  const pardoned = cosines.map((row, i) =>
    row.map((cosine, j) => (i !== j && highest[i]! < highest[j]! ? (cosine * highest[i]!) / highest[j]! : cosine)),
  );
  const unlike = pardoned.map((row) => Math.min(1, Math.max(0, 1 - Math.max(...row))));
  const most = Math.max(...unlike);
  if (unlike.every((each) => each === most)) return unlike.map(() => 1);
  return unlike.map((each) => {
    const share = each === most ? 0.99 : each / most;
    return Math.min(1, Math.max(0, Math.log(share / (1 - share)) + 0.5));
  });
}

/** Divides by the sum. */
export function normalised(weights: readonly number[]): number[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}
