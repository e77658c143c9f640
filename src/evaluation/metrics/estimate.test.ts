import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stream } from "../../tensor/random.ts";
import { studentQuantile } from "./beta-distribution.ts";
import { bootstrapMean } from "./bootstrap.ts";
import { estimateMean, estimateOf, FEWEST_FOR_BOOTSTRAP, meanDifference, proportion } from "./estimate.ts";

interface Golden {
  proportions: { successes: number; n: number; low: number; high: number }[];
  differences: { values: number[]; low: number; high: number }[];
  quantiles: { share: number; df: number; t: number }[];
}
const golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/intervals.json", import.meta.url), "utf8"),
) as Golden;

const ones = (k: number, n: number): number[] => Array.from({ length: n }, (_, i) => (i < k ? 1 : 0));

describe("a proportion", () => {
  it("has scipy's exact interval", () => {
    expect(golden.proportions.length).toBeGreaterThan(40);
    for (const { successes, n, low, high } of golden.proportions) {
      const got = proportion(successes, n);
      expect(got.low, `low of ${successes} of ${n}`).toBeCloseTo(low, 10);
      expect(got.high, `high of ${successes} of ${n}`).toBeCloseTo(high, 10);
    }
  });

  it("is covered by its interval in at least 95% of cases, at every size and every true value", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 80 }), fc.double({ min: 0, max: 1, noNaN: true }), (n, truth) => {
        let covered = 0;
        // The binomial probabilities, each from the one before; from the mode they cannot vanish all.
        const mode = Math.min(n, Math.floor((n + 1) * truth));
        const weights = new Float64Array(n + 1);
        weights[mode] = 1;
        for (let k = mode; k < n; k++) weights[k + 1] = (weights[k]! * (n - k) * truth) / ((k + 1) * (1 - truth));
        for (let k = mode; k > 0; k--) weights[k - 1] = (weights[k]! * k * (1 - truth)) / ((n - k + 1) * truth);
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        for (let k = 0; k <= n; k++) {
          const { low, high } = proportion(k, n);
          if (low! <= truth && truth <= high!) covered += weights[k]! / total;
        }
        expect(covered).toBeGreaterThanOrEqual(0.95 - 1e-9);
      }),
      { numRuns: 60, seed: 5 },
    );
  });

  it("of none or of all is no certainty", () => {
    expect(proportion(0, 3)).toEqual({ value: 0, n: 3, low: 0, high: expect.closeTo(0.708, 3), interval: "exact" });
    expect(proportion(3, 3)).toEqual({ value: 1, n: 3, low: expect.closeTo(0.292, 3), high: 1, interval: "exact" });
    // The percentile interval of 3 of 60 reaches down to 0 and up to 0.117 only.
    expect(proportion(3, 60)).toMatchObject({ low: expect.closeTo(0.0104, 4), high: expect.closeTo(0.1392, 4) });
  });
});

describe("an estimate of a mean", () => {
  it("of zeros and ones is a proportion", () => {
    expect(estimateMean(ones(4, 9), { seed: 1 })).toEqual(proportion(4, 9));
  });

  it("of other values has a bootstrap interval, but none of few", () => {
    const values = Array.from({ length: FEWEST_FOR_BOOTSTRAP }, (_, i) => i / 7);
    expect(estimateMean(values, { seed: 3 })).toEqual({ ...bootstrapMean(values, { seed: 3 }), interval: "bootstrap" });
    expect(estimateMean(values.slice(1, 4), { seed: 3 })).toEqual({ value: expect.closeTo(2 / 7, 12), n: 3 });
    expect(estimateOf(values.slice(1), (sample) => Math.max(...sample), { seed: 3 })).toEqual({
      value: values.at(-1),
      n: FEWEST_FOR_BOOTSTRAP - 1,
    });
  });

  it("covers the true mean about as often as it says, from the fewest items on", () => {
    // Shares of truth covered, of 400 samples: a uniform, a skewed and a two-humped distribution.
    const draws: Record<string, { mean: number; draw: (random: ReturnType<typeof stream>) => number }> = {
      uniform: { mean: 0.5, draw: (random) => random.uniform() },
      exponential: { mean: 1, draw: (random) => -Math.log(1 - random.uniform()) },
      humps: { mean: 5, draw: (random) => (random.uniform() < 0.5 ? 0 : 8) + 2 * random.uniform() },
    };
    const coverage = (n: number, name: string): number => {
      const random = stream(19, "coverage", name, n);
      const { mean, draw } = draws[name]!;
      let covered = 0;
      for (let i = 0; i < 400; i++) {
        const sample = Array.from({ length: n }, () => draw(random));
        const { low, high } = bootstrapMean(sample, { seed: i, resamples: 400 });
        if (low <= mean && mean <= high) covered++;
      }
      return covered / 400;
    };
    for (const name of Object.keys(draws)) expect(coverage(FEWEST_FOR_BOOTSTRAP, name), name).toBeGreaterThan(0.88);
    // Below, it does not: that is why there is none.
    for (const name of Object.keys(draws)) expect(coverage(3, name), name).toBeLessThan(0.8);
  });
});

describe("a mean difference", () => {
  it("has statsmodels' t interval", () => {
    for (const { values, low, high } of golden.differences) {
      const got = meanDifference(values);
      expect(got.low).toBeCloseTo(low, 10);
      expect(got.high).toBeCloseTo(high, 10);
    }
    for (const { share, df, t } of golden.quantiles) expect(studentQuantile(share, df) / t).toBeCloseTo(1, 9);
  });

  it("of one pair has no interval", () => {
    expect(meanDifference([0.25])).toEqual({ value: 0.25, n: 1 });
  });
});
