import { type Params, pick, toFloat64, zipParams } from "../tensor/params.ts";

/**
 * Factors of an update that is `s` rounds old. `sqrt`: Nguyen et al. 2022, "Federated learning with buffered asynchronous
 * aggregation", sec. 5; `inverse`: Xie, Koyejo & Gupta 2019, "Asynchronous federated optimization", the polynomial with a = 1.
 */
export const STALENESS = {
  sqrt: (s: number): number => 1 / Math.sqrt(1 + s),
  inverse: (s: number): number => 1 / (1 + s),
  constant: (): number => 1,
};

export type Staleness = keyof typeof STALENESS;

/** Rounds that an update may be old where nothing is set, and at most. */
export const DEFAULT_MAX_STALENESS = 10;
export const LARGEST_MAX_STALENESS = 20;

/** `global + factor·(adapter − base)`, in float64. */
export function scaledChange(adapter: Params, base: Params, factor: number, global: Params): Params {
  const change = zipParams(toFloat64(adapter), pick(base, adapter), (y, b) => factor * (y - b));
  return zipParams(change, pick(global, adapter), (d, w) => w + d);
}
