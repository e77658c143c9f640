import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { goldenJson } from "../../test/support/golden.ts";
import { noiseFor } from "./gaussian.ts";
import { epsilonSpent, mayTakePart, muSquaredOf, muSquaredWithin } from "./ledger.ts";

interface Golden {
  stops: {
    budget_eps: number;
    delta: number;
    noise_multiplier: number;
    mu_squared_budget: number;
    participations_allowed: number;
    eps_after_that_many: number;
    eps_after_one_more: number;
  }[];
  mixed_rounds: { noise_multipliers: number[]; mu_squared: number; "eps_at_1e-5": number };
  weighted: { weights: number[]; mu: number[]; "eps_one_round_delta_1e-5": number[] };
}
const golden = goldenJson("privacy", "mechanisms.json").ledger as Golden;

/** Takes part as long as the filter allows it, at most `most` times. */
function participations(allowed: number, price: number, most: number): { count: number; spent: number } {
  let spent = 0;
  let count = 0;
  while (count < most && mayTakePart(spent, price, allowed)) {
    spent += price;
    count++;
  }
  return { count, spent };
}

describe("a client's ledger", () => {
  it.each(golden.stops)("stops at epsilon $budget_eps, noise $noise_multiplier", (row) => {
    const allowed = muSquaredWithin({ epsilon: row.budget_eps, delta: row.delta });
    expect(allowed).toBeCloseTo(row.mu_squared_budget, 9);
    const price = muSquaredOf({ weight: 1, clip: 0.3, noiseDeviation: 0.3 * row.noise_multiplier });
    const { count, spent } = participations(allowed, price, 1000);
    expect(count).toBe(row.participations_allowed);
    expect(epsilonSpent(spent, row.delta)).toBeCloseTo(row.eps_after_that_many, 9);
    expect(epsilonSpent(spent + price, row.delta)).toBeCloseTo(row.eps_after_one_more, 9);
  });

  it("adds rounds of different noise", () => {
    const { noise_multipliers, mu_squared, "eps_at_1e-5": epsilon } = golden.mixed_rounds;
    const prices = noise_multipliers.map((z) => muSquaredOf({ weight: 1, clip: 2, noiseDeviation: 2 * z }));
    const spent = prices.reduce((a, b) => a + b, 0);
    expect(spent).toBeCloseTo(mu_squared, 12);
    expect(epsilonSpent(spent, 1e-5)).toBeCloseTo(epsilon, 9);
  });

  it("charges a client by its own weight", () => {
    const { weights, mu, "eps_one_round_delta_1e-5": epsilons } = golden.weighted;
    for (const [i, weight] of weights.entries()) {
      const spent = muSquaredOf({ weight, clip: 1, noiseDeviation: 4 });
      expect(Math.sqrt(spent)).toBeCloseTo(mu[i]!, 12);
      expect(epsilonSpent(spent, 1e-5)).toBeCloseTo(epsilons[i]!, 9);
    }
  });

  it("lets a client take part exactly as often as its noise was made for", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.1, max: 30, noNaN: true }),
        fc.integer({ min: 1, max: 3000 }),
        (epsilon, rounds) => {
          const z = noiseFor(epsilon, 1e-5, rounds);
          const price = muSquaredOf({ weight: 1, clip: 0.7, noiseDeviation: z * 0.7 });
          const allowed = muSquaredWithin({ epsilon, delta: 1e-5 });
          const { count, spent } = participations(allowed, price, rounds + 5);
          expect(count).toBe(rounds);
          expect(epsilonSpent(spent, 1e-5)).toBeLessThanOrEqual(epsilon);
        },
      ),
    );
  });

  it("spends nothing on no participation, and everything without noise", () => {
    expect(epsilonSpent(0, 1e-5)).toBe(0);
    expect(mayTakePart(0, muSquaredOf({ weight: 1, clip: 1, noiseDeviation: 0 }), 100)).toBe(false);
    expect(mayTakePart(0, Infinity, muSquaredWithin({ epsilon: Infinity, delta: 1e-5 }))).toBe(true);
  });
});
