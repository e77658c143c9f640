import { addScaled, globalNorm, type Params, scale, subtract } from "../tensor/params.ts";
import { type Attack, defineAttack } from "./attack.ts";
import { innerProduct, largest, spreadOf, squaredDistance } from "./statistics.ts";

/**
 * Min-max (Shejwalkar & Houmansadr 2021, "Manipulating the Byzantine", section 4): as far against the honest mean as is no
 * further from any honest change than two of them are from each other.
 */
export const minMax = defineAttack({
  settings: {},
  make: (): Attack => ({
    name: "minMax",
    colludes: true,
    change: (_own, { honest }) => against(honest, (distances) => Math.max(...distances)),
  }),
});

/** The same of the sum of the squared distances to all honest changes: no larger than the largest such sum of an honest one. */
export const minSum = defineAttack({
  settings: {},
  make: (): Attack => ({
    name: "minSum",
    colludes: true,
    change: (_own, { honest }) => against(honest, (distances) => distances.reduce((sum, each) => sum + each, 0)),
  }),
});

/** g − γ·g/‖g‖ with the largest γ at which `measure` of its squared distances is not above that of any honest change. */
function against(honest: readonly Params[], measure: (distances: readonly number[]) => number): Params {
  const { mean } = spreadOf(honest);
  const norm = globalNorm(mean);
  if (norm === 0) return mean;
  const direction = scale(mean, -1 / norm);
  const of = (change: Params): number => measure(honest.map((each) => squaredDistance(change, each)));
  const most = Math.max(...honest.map(of));
  // ‖g + γp − x‖² is a parabola in γ: no pass over the numbers for each γ.
  const own = honest.map((each) => squaredDistance(mean, each));
  const slopes = honest.map((each) => 2 * innerProduct(direction, subtract(mean, each)));
  const at = (gamma: number): number => measure(own.map((start, i) => start + gamma * slopes[i]! + gamma * gamma));
  return addScaled(
    mean,
    largest((gamma) => at(gamma) <= most),
    direction,
  );
}
