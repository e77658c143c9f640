import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { goldenJson } from "../../test/support/golden.ts";
import { fourier } from "./fft.ts";
import { gaussianEpsilon } from "./gaussian.ts";
import { pldDelta, pldEpsilon } from "./pld.ts";
import { rdpEpsilon } from "./rdp.ts";

interface Case {
  name: string;
  q: number;
  sigma: number;
  steps: number;
  delta: number;
  eps_pld_upper: number;
  eps_pld_estimate: number;
  eps_exact?: number;
}
interface Curve {
  q: number;
  sigma: number;
  steps: number;
  eps: number;
  h: number;
  remove: { upper_at_h: number; estimate: number };
  add: { upper_at_h: number; estimate: number };
}
interface Golden {
  cases: Case[];
  delta_curve: Curve[];
  mixed: { rounds: { q: number; sigma: number; steps: number }[]; delta: number; eps_pld_upper: number };
}
const golden = goldenJson("privacy", "accountant.json") as Golden;
const theirs = goldenJson("privacy", "accountant-dp-accounting.json") as {
  cases: { name: string; eps_pld: number }[];
};
const kindOf = ({ q, sigma, steps }: { q: number; sigma: number; steps: number }) => ({
  rate: q,
  noiseMultiplier: sigma,
  rounds: steps,
});

describe("the loss distribution", () => {
  it.each(golden.cases)("bounds epsilon of: $name", (row) => {
    const epsilon = pldEpsilon([kindOf(row)], row.delta);
    expect(epsilon).toBeGreaterThanOrEqual(row.eps_pld_estimate * (1 - 2e-5));
    expect(epsilon).toBeLessThanOrEqual(row.eps_pld_upper * 1.001);
    if (row.eps_exact !== undefined) {
      expect(epsilon).toBeGreaterThanOrEqual(row.eps_exact * (1 - 1e-9));
      expect(epsilon).toBeLessThan(row.eps_exact * (1 + 1e-4));
    }
    expect(epsilon).toBeLessThanOrEqual(rdpEpsilon([kindOf(row)], row.delta).epsilon);
    const other = theirs.cases.find(({ name }) => name === row.name)!.eps_pld;
    expect(Math.abs(epsilon / other - 1)).toBeLessThan(2e-3);
  });

  it.each(golden.delta_curve)("bounds delta at epsilon $eps of q $q, both ways", (row) => {
    for (const direction of ["remove", "add"] as const) {
      const { upper_at_h, estimate } = row[direction];
      const delta = pldDelta([kindOf(row)], row.eps, direction, row.h);
      expect(delta).toBeGreaterThanOrEqual(estimate * (1 - 2e-5) - 1e-13);
      expect(delta).toBeLessThanOrEqual(upper_at_h * 1.001 + 1e-12);
    }
  });

  it("reaches the published delta of Koskela's example, by halving the step", () => {
    const kind = { rate: 0.01, noiseMultiplier: 4, rounds: 10_000 };
    const [coarse, fine] = [2 ** -12, 2 ** -13].map((step) => pldDelta([kind], 1, "remove", step));
    expect(Math.abs((4 * fine! - coarse!) / 3 / 4.243484012034273e-6 - 1)).toBeLessThan(2e-5);
  });

  it("composes rounds of different kinds", () => {
    const { rounds, delta, eps_pld_upper } = golden.mixed;
    const epsilon = pldEpsilon(rounds.map(kindOf), delta);
    expect(epsilon).toBeGreaterThan(eps_pld_upper * 0.999);
    expect(epsilon).toBeLessThan(eps_pld_upper * 1.001);
  });

  it("has the limiting cases", () => {
    expect(pldEpsilon([], 1e-5)).toBe(0);
    expect(pldEpsilon([{ rate: 0, noiseMultiplier: 0, rounds: 5 }], 1e-5)).toBe(0);
    expect(pldEpsilon([{ rate: 0.1, noiseMultiplier: 0, rounds: 1 }], 1e-5)).toBe(Infinity);
    expect(pldEpsilon([{ rate: 0.1, noiseMultiplier: 1000, rounds: 10 }], 1e-5)).toBeLessThan(0.01);
    expect(() => pldEpsilon([], 1e-12)).toThrow("a loss distribution needs a delta from 1e-11 up");
  });

  it("is as large for T rounds of one kind as for a list of T, and never above Rényi accounting", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.1, max: 0.9, noNaN: true }),
        fc.double({ min: 0.7, max: 5, noNaN: true }),
        fc.integer({ min: 1, max: 6 }),
        (rate, noiseMultiplier, rounds) => {
          const together = [{ rate, noiseMultiplier, rounds }];
          const apart = Array.from({ length: rounds }, () => ({ rate, noiseMultiplier, rounds: 1 }));
          const epsilon = pldEpsilon(together, 1e-4);
          expect(pldEpsilon(apart, 1e-4)).toBeCloseTo(epsilon, 6);
          expect(epsilon).toBeLessThanOrEqual(rdpEpsilon(together, 1e-4).epsilon);
          expect(pldEpsilon([{ rate, noiseMultiplier, rounds: rounds + 3 }], 1e-4)).toBeGreaterThanOrEqual(epsilon);
          expect(pldEpsilon(together, 1e-5)).toBeGreaterThanOrEqual(epsilon);
        },
      ),
      { numRuns: 3 },
    );
  });

  it("equals the exact Gaussian where all take part", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1, max: 10, noNaN: true }),
        fc.integer({ min: 1, max: 50 }),
        (noiseMultiplier, rounds) => {
          const exact = gaussianEpsilon(Math.sqrt(rounds) / noiseMultiplier, 1e-5);
          const bound = pldEpsilon([{ rate: 1, noiseMultiplier, rounds }], 1e-5);
          expect(bound).toBeGreaterThanOrEqual(exact * (1 - 1e-9));
          expect(bound).toBeLessThan(exact * 1.0002);
        },
      ),
      { numRuns: 4 },
    );
  });
});

describe("the Fourier transform", () => {
  it("is the sum by definition, and its inverse inverts", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 16, maxLength: 16 }), (values) => {
        const real = Float64Array.from(values);
        const imaginary = new Float64Array(16);
        fourier(real, imaginary);
        for (let k = 0; k < 16; k++) {
          const angles = values.map((_, n) => (-2 * Math.PI * k * n) / 16);
          expect(real[k]).toBeCloseTo(
            values.reduce((sum, value, n) => sum + value * Math.cos(angles[n]!), 0),
            12,
          );
          expect(imaginary[k]).toBeCloseTo(
            values.reduce((sum, value, n) => sum + value * Math.sin(angles[n]!), 0),
            12,
          );
        }
        fourier(real, imaginary, true);
        for (const [n, value] of values.entries()) expect(real[n]).toBeCloseTo(value, 14);
      }),
    );
  });
});
