import { ORDERS, rdpOfSampledGaussian } from "./rdp.ts";
import type { PrivacyBudget } from "./ledger.ts";

/** One step of DP-SGD: its records are drawn by secret coins, and the sum gets Gaussian noise. */
export interface SampledStep {
  /** q: probability that a record is in the step. */
  readonly rate: number;
  /** z: the noise on the sum has standard deviation z times the clip norm. */
  readonly noiseMultiplier: number;
}

/**
 * A Rényi filter at one order that is fixed beforehand (Feldman and Zrnic 2021, arXiv 2008.11193): steps are allowed while the
 * divergences at that order add up to at most what (ε, δ) allows there. So it may stop at any step, and the next step may
 * depend on all before it. With a best order chosen at the end it could not.
 */
export interface RenyiFilter {
  readonly order: number;
  /** Largest sum of divergences at `order` within the budget. */
  readonly allowed: number;
}

/** Computes what a budget allows at an order (Canonne, Kamath and Steinke 2020, Proposition 12). */
export function filterAt({ epsilon, delta }: PrivacyBudget, order: number): RenyiFilter {
  return { order, allowed: epsilon - epsilonBeside(delta, order) };
}

/** ε at δ beyond the divergence itself. */
function epsilonBeside(delta: number, order: number): number {
  return Math.log1p(-1 / order) - (Math.log(delta) + Math.log(order)) / (order - 1);
}

/** Chooses the order at which a budget allows most of such steps, and counts them; 0 where it allows none. */
export function filterFor(step: SampledStep, budget: PrivacyBudget): { filter: RenyiFilter; steps: number } {
  let best = { filter: filterAt(budget, ORDERS[0]!), steps: 0 };
  for (const order of ORDERS) {
    const filter = filterAt(budget, order);
    if (filter.allowed <= 0) continue;
    const steps = filter.allowed / rdpOfSampledGaussian(step.rate, step.noiseMultiplier, order);
    if (steps > best.steps) best = { filter, steps };
  }
  return { ...best, steps: wholeTimes(best.steps) };
}

/** More than the rounding of a quotient of divergences. */
const ROUNDING = 1e-12;

/** Counts how often something of a divergence fits in what is allowed, from their quotient. */
export function wholeTimes(quotient: number): number {
  return Math.floor(quotient * (1 + ROUNDING));
}

/** Computes ε at δ after divergences of `spent` together at the order of a filter; 0 where nothing was spent. */
export function filterEpsilon({ order }: Pick<RenyiFilter, "order">, spent: number, delta: number): number {
  return spent === 0 ? 0 : Math.max(0, spent + epsilonBeside(delta, order));
}

const BISECTIONS = 50;

/**
 * Finds the smallest noise multiplier with which a budget allows `steps` steps, rounded up.
 *
 * @throws RangeError where no noise is enough: δ alone allows nothing at any order.
 */
export function noiseForSteps(rate: number, steps: number, budget: PrivacyBudget): number {
  let noiseMultiplier = 1;
  while (filterFor({ rate, noiseMultiplier }, budget).steps < 1) {
    noiseMultiplier *= 2;
    if (noiseMultiplier > MOST_NOISE) throw new RangeError(`no noise is enough for ε ${budget.epsilon}`);
  }
  // The order that allows most steps at one noise is near the best for others. Each turn needs no more noise than the last.
  let { filter } = filterFor({ rate, noiseMultiplier }, budget);
  for (let least = Infinity; ; least = noiseMultiplier) {
    noiseMultiplier = noiseAt(filter, rate, steps);
    if (noiseMultiplier >= least) return least;
    ({ filter } = filterFor({ rate, noiseMultiplier }, budget));
  }
}

const MOST_NOISE = 1e9;

/** The same at one order. */
function noiseAt({ order, allowed }: RenyiFilter, rate: number, steps: number): number {
  const enough = (noiseMultiplier: number): boolean =>
    steps * rdpOfSampledGaussian(rate, noiseMultiplier, order) <= allowed;
  let high = 1;
  while (!enough(high)) high *= 2;
  let low = high / 2;
  while (enough(low)) [high, low] = [low, low / 2];
  for (let i = 0; i < BISECTIONS; i++) {
    const middle = (low + high) / 2;
    if (enough(middle)) high = middle;
    else low = middle;
  }
  return high;
}
