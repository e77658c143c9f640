import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { goldenJson } from "../../test/support/golden.ts";
import { gaussianDelta, gaussianEpsilon, gaussianMu, noiseFor, rightGuesses } from "./gaussian.ts";
import { logPhi, phi } from "./log-phi.ts";

interface Golden {
  log_phi: { x: number; log_phi: number }[];
  gaussian: { mu: number; delta: number; eps: number }[];
  sigma_for: { eps: number; delta: number; sigma_exact: number }[];
  conversion: { rho: number; delta: number; eps_exact_if_gaussian: number }[];
  delta_curve: { q: number; sigma: number; steps: number; eps: number; exact?: number }[];
  cases: { q: number; sigma: number; steps: number; delta: number; eps_exact?: number }[];
}
const golden = goldenJson("privacy", "accountant.json") as Golden;

const relative = (got: number, expected: number): number =>
  Math.abs(got - expected) / Math.max(Math.abs(expected), 1e-300);
const deltas = fc.double({ min: -9, max: -1.5, noNaN: true }).map((power) => 10 ** power);
const mus = fc.double({ min: 0.01, max: 8, noNaN: true });

describe("logPhi", () => {
  it.each(golden.log_phi)("at $x", ({ x, log_phi }) => {
    expect(relative(logPhi(x), log_phi)).toBeLessThan(1e-14);
  });

  it("has the limits of a distribution", () => {
    expect([logPhi(-Infinity), logPhi(Infinity), logPhi(NaN)]).toEqual([-Infinity, 0, NaN]);
    fc.assert(
      fc.property(fc.double({ min: -30, max: 30, noNaN: true }), (x) => {
        expect(phi(x) + phi(-x)).toBeCloseTo(1, 14);
        expect(logPhi(x + 0.01)).toBeGreaterThanOrEqual(logPhi(x));
      }),
    );
  });
});

describe("the exact Gaussian", () => {
  it.each(golden.gaussian)("mu $mu, delta $delta", ({ mu, delta, eps }) => {
    expect(relative(gaussianEpsilon(mu, delta), eps)).toBeLessThan(1e-9);
    if (eps > 0) expect(relative(gaussianMu(eps, delta), mu)).toBeLessThan(1e-9);
  });

  it.each(golden.sigma_for)("noise for epsilon $eps, delta $delta", ({ eps, delta, sigma_exact }) => {
    const z = noiseFor(eps, delta, 1);
    expect(relative(z, sigma_exact)).toBeLessThan(1e-9);
    expect(noiseFor(eps, delta, 9)).toBeCloseTo(3 * z, 9);
  });

  it.each(golden.conversion)("rho $rho, delta $delta", ({ rho, delta, eps_exact_if_gaussian }) => {
    expect(relative(gaussianEpsilon(Math.sqrt(2 * rho), delta), eps_exact_if_gaussian)).toBeLessThan(1e-9);
  });

  it.each(golden.cases.filter(({ q }) => q === 1))("$steps rounds of all, z $sigma", (row) => {
    expect(relative(gaussianEpsilon(Math.sqrt(row.steps) / row.sigma, row.delta), row.eps_exact!)).toBeLessThan(1e-9);
  });

  it.each(golden.delta_curve.filter(({ q }) => q === 1))("delta at epsilon $eps", ({ sigma, steps, eps, exact }) => {
    expect(relative(gaussianDelta(Math.sqrt(steps) / sigma, eps), exact!)).toBeLessThan(1e-9);
  });

  it("has the limiting cases", () => {
    expect(gaussianEpsilon(0, 1e-5)).toBe(0);
    expect(gaussianEpsilon(1e-9, 1e-5)).toBe(0);
    expect(gaussianEpsilon(Infinity, 1e-5)).toBe(Infinity);
    expect(gaussianDelta(Infinity, 3)).toBe(1);
    expect(gaussianMu(Infinity, 1e-5)).toBe(Infinity);
    expect(noiseFor(Infinity, 1e-5, 10)).toBe(0);
    expect(noiseFor(8, 1e-5, 0)).toBe(0);
    expect(() => gaussianEpsilon(1, 0)).toThrow("delta must lie between 0 and 1, got 0");
    expect(() => gaussianMu(-1, 0.1)).toThrow("epsilon must not be negative");
    expect(() => gaussianDelta(NaN, 0.1)).toThrow("mu must not be negative, got NaN");
  });

  it("bounds the share of right guesses: half of what delta at epsilon 0 leaves", () => {
    expect(rightGuesses(0)).toBe(0.5);
    expect(rightGuesses(Infinity)).toBe(1);
    for (const mu of [0.1, 1, 3]) expect(rightGuesses(mu)).toBeCloseTo((1 + gaussianDelta(mu, 0)) / 2, 14);
  });

  it("rises with mu, falls with delta, and its inverses invert", () => {
    fc.assert(
      fc.property(mus, deltas, (mu, delta) => {
        const epsilon = gaussianEpsilon(mu, delta);
        expect(gaussianEpsilon(mu * 1.01, delta)).toBeGreaterThanOrEqual(epsilon);
        expect(gaussianEpsilon(mu, delta / 2)).toBeGreaterThanOrEqual(epsilon);
        expect(gaussianDelta(mu, epsilon)).toBeLessThanOrEqual(delta);
        if (epsilon > 0.01) expect(relative(gaussianMu(epsilon, delta), mu)).toBeLessThan(1e-7);
      }),
    );
  });
});
