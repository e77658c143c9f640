import { globalNorm, scale, type Params } from "../tensor/params.ts";

/**
 * Scales gradients so that their norm over all tensors together is at most `maxNorm`, as PyTorch does (with its 1e-6 in
 * the denominator); 0 switches clipping off. Returns the norm before clipping.
 */
export function clipByGlobalNorm(gradients: Params, maxNorm: number): { gradients: Params; norm: number } {
  const norm = globalNorm(gradients);
  const factor = maxNorm / (norm + 1e-6);
  return { gradients: maxNorm > 0 && factor < 1 ? scale(gradients, factor) : gradients, norm };
}
