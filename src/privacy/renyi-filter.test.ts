import fc from "fast-check";
import { expect, test } from "vitest";
import { rdpEpsilon } from "./rdp.ts";
import { filterAt, filterEpsilon, filterFor, noiseForSteps } from "./renyi-filter.ts";

test("the noise for a number of steps is the least with which they fit, and one step more does not", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(0.01, 0.1, 0.5, 1),
      fc.integer({ min: 1, max: 2000 }),
      fc.constantFrom(0.5, 2, 8, 50),
      (rate, steps, epsilon) => {
        const budget = { epsilon, delta: 1e-5 };
        const noiseMultiplier = noiseForSteps(rate, steps, budget);
        const spent = rdpEpsilon([{ rate, noiseMultiplier, rounds: steps }], budget.delta).epsilon;
        expect(spent).toBeLessThanOrEqual(epsilon * (1 + 1e-9));
        // It is the best order of all, so the bound by Rényi orders is used up.
        expect(spent).toBeGreaterThan(0.999 * epsilon);
        expect(filterFor({ rate, noiseMultiplier }, budget).steps).toBeGreaterThanOrEqual(steps);
        expect(filterFor({ rate, noiseMultiplier: 0.999 * noiseMultiplier }, budget).steps).toBeLessThan(steps);
      },
    ),
    { numRuns: 12 },
  );
});

test("what all of the allowed divergence costs is the budget", () => {
  for (const order of [1.5, 4, 63]) {
    const filter = filterAt({ epsilon: 8, delta: 1e-5 }, order);
    expect(filterEpsilon(filter, filter.allowed, 1e-5)).toBeCloseTo(8, 12);
  }
  expect(filterEpsilon({ order: 8 }, 0, 1e-5)).toBe(0);
});

test("a budget that allows no step at all says so", () => {
  expect(filterFor({ rate: 1, noiseMultiplier: 0.01 }, { epsilon: 1, delta: 1e-5 }).steps).toBe(0);
  expect(filterFor({ rate: 1, noiseMultiplier: 0 }, { epsilon: 1, delta: 1e-5 }).steps).toBe(0);
});
