import type { Groups } from "../tensor/groups.ts";
import { globalNorm } from "../tensor/params.ts";

/** Factors on groups within a clip, by group; 1 for the others. They make numbers of different kinds comparable. */
export type GroupScales = Readonly<Record<string, number>>;

/** Norm over all tensors of all groups, as one vector, in float64. */
export function normOf(groups: Groups, scales: GroupScales = {}): number {
  return Math.hypot(...Object.entries(groups).map(([name, params]) => (scales[name] ?? 1) * globalNorm(params)));
}

/** Less than rounding of a product to float64 can add to a norm. */
const MARGIN = 2 ** -50;

/** Factor that brings a vector of a norm down to `clip`: 1 where it is within, also for 0; 0 where it is not finite. */
export function clipFactor(norm: number, clip: number): number {
  const limit = clip * (1 - MARGIN);
  if (!Number.isFinite(norm)) return 0;
  return norm <= limit ? 1 : limit / norm;
}
