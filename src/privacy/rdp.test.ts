import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { goldenJson } from "../../test/support/golden.ts";
import { epsilonOfCurve, ORDERS, rdpEpsilon, rdpOfSampledGaussian, zcdpEpsilon } from "./rdp.ts";

interface Case {
  name: string;
  q: number;
  sigma: number;
  steps: number;
  delta: number;
  eps_rdp: number;
  order: number;
  published?: { eps: number };
}
interface Golden {
  orders: number[];
  rdp_points: { q: number; sigma: number; alpha: number; rdp: number }[];
  cases: Case[];
  mixed: { rounds: { q: number; sigma: number; steps: number }[]; delta: number; eps_rdp: number; order: number };
  conversion: { rho: number; delta: number; eps_improved_best_order: number }[];
}
const golden = goldenJson("privacy", "accountant.json") as Golden;
const theirs = goldenJson("privacy", "accountant-dp-accounting.json") as {
  cases: { name: string; eps_rdp: number }[];
};

const relative = (got: number, expected: number): number => Math.abs(got / expected - 1);
const kindOf = ({ q, sigma, steps }: { q: number; sigma: number; steps: number }) => ({
  rate: q,
  noiseMultiplier: sigma,
  rounds: steps,
});

describe("Rényi accounting", () => {
  it.each(golden.rdp_points)("q $q, z $sigma, order $alpha", ({ q, sigma, alpha, rdp }) => {
    expect(relative(rdpOfSampledGaussian(q, sigma, alpha), rdp)).toBeLessThan(1e-9);
  });

  it.each(golden.cases)("$name", (row) => {
    const { epsilon, order, atEdge } = rdpEpsilon([kindOf(row)], row.delta);
    expect(relative(epsilon, row.eps_rdp)).toBeLessThan(1e-6);
    expect(order).toBe(row.order);
    expect(atEdge).toBe(false);
    // Google's accountant takes the sizes of binomials at fractional orders: never less, at most 1% more.
    const other = theirs.cases.find(({ name }) => name === row.name)!.eps_rdp;
    expect(epsilon).toBeLessThanOrEqual(other * (1 + 1e-4));
    expect(epsilon).toBeGreaterThan(other * 0.99);
  });

  it("adds rounds of different kinds", () => {
    const { rounds, delta, eps_rdp, order } = golden.mixed;
    const got = rdpEpsilon(rounds.map(kindOf), delta);
    expect(relative(got.epsilon, eps_rdp)).toBeLessThan(1e-6);
    expect(got.order).toBe(order);
  });

  it.each(golden.conversion)("converts rho $rho", ({ rho, delta, eps_improved_best_order: best }) => {
    // The golden numbers are of 4,000 orders; ours are of 156.
    const { epsilon } = zcdpEpsilon(rho, delta);
    expect(epsilon).toBeGreaterThanOrEqual(best * (1 - 1e-9));
    expect(epsilon).toBeLessThan(best * 1.001);
  });

  it("uses the golden orders, and says when the best one is at the edge", () => {
    expect(ORDERS).toEqual(golden.orders);
    expect(zcdpEpsilon(100, 0.5).atEdge).toBe(true);
    expect(zcdpEpsilon(1e-8, 1e-5).atEdge).toBe(true);
    expect(
      epsilonOfCurve(
        ORDERS.map(() => Infinity),
        1e-5,
      ).epsilon,
    ).toBe(Infinity);
  });

  it("has the limiting cases", () => {
    expect(rdpOfSampledGaussian(0, 0, 2)).toBe(0);
    expect(rdpOfSampledGaussian(0.1, 0, 2)).toBe(Infinity);
    expect(rdpOfSampledGaussian(1, 2, 8)).toBe(1);
    expect(rdpEpsilon([{ rate: 0.1, noiseMultiplier: 1e6, rounds: 100 }], 1e-5).epsilon).toBeLessThan(0.01);
    expect(() => rdpOfSampledGaussian(1.5, 1, 2)).toThrow("a sampling rate must lie in [0, 1], got 1.5");
    expect(() => rdpOfSampledGaussian(0.5, -1, 2)).toThrow("a noise multiplier must not be negative, got -1");
  });

  it("rises with q and rounds, and falls with noise and delta", () => {
    const rates = fc.double({ min: 0.001, max: 0.9, noNaN: true });
    const noises = fc.double({ min: 0.5, max: 20, noNaN: true });
    fc.assert(
      fc.property(rates, noises, fc.integer({ min: 1, max: 500 }), (rate, noiseMultiplier, rounds) => {
        const epsilon = (change: object, delta = 1e-5): number =>
          rdpEpsilon([{ rate, noiseMultiplier, rounds, ...change }], delta).epsilon;
        const middle = epsilon({}) * (1 - 1e-9);
        expect(epsilon({ rate: rate * 1.1 })).toBeGreaterThanOrEqual(middle);
        expect(epsilon({ rounds: rounds + 1 })).toBeGreaterThanOrEqual(middle);
        expect(epsilon({ noiseMultiplier: noiseMultiplier / 1.1 })).toBeGreaterThanOrEqual(middle);
        expect(epsilon({}, 1e-6)).toBeGreaterThanOrEqual(middle);
      }),
      { numRuns: 3 },
    );
  });
});
