import * as fc from "fast-check";
import { expect, it } from "vitest";
import { stream } from "../tensor/random.ts";
import { cut, logDirichlet, logGamma, proportions } from "./dirichlet.ts";

it.each([0.05, 0.3, 1, 2.5, 40])(
  "Gamma(%d, 1) has mean and variance equal to its shape, and the right mean logarithm",
  (shape) => {
    const random = stream(7, "gamma", shape);
    const count = 100_000;
    const logs = Array.from({ length: count }, () => logGamma(shape, random));
    const mean = logs.reduce((sum, log) => sum + Math.exp(log), 0) / count;
    const variance = logs.reduce((sum, log) => sum + (Math.exp(log) - mean) ** 2, 0) / count;
    const meanLog = logs.reduce((sum, log) => sum + log, 0) / count;
    // Six standard errors of the sample mean, of the sample variance (fourth central moment 3k² + 6k), and of the mean log.
    expect(Math.abs(mean - shape)).toBeLessThan(6 * Math.sqrt(shape / count));
    expect(Math.abs(variance - shape)).toBeLessThan(6 * Math.sqrt((2 * shape * shape + 6 * shape) / count));
    expect(Math.abs(meanLog - digamma(shape))).toBeLessThan(6 * Math.sqrt(trigamma(shape) / count));
  },
);

/** ψ(x) and ψ′(x) by recurrence up to 10, then the asymptotic series. */
function digamma(x: number): number {
  return x < 10 ? digamma(x + 1) - 1 / x : Math.log(x) - 1 / (2 * x) - 1 / (12 * x * x) + 1 / (120 * x ** 4);
}
function trigamma(x: number): number {
  return x < 10 ? trigamma(x + 1) + 1 / (x * x) : 1 / x + 1 / (2 * x * x) + 1 / (6 * x ** 3) - 1 / (30 * x ** 5);
}

it("proportions are finite and add up to 1 even where every gamma draw is below the smallest double", () => {
  const logs = logDirichlet(5, 1e-4, stream(1, "tiny"));
  expect(logs.every((log) => Math.exp(log) === 0)).toBe(true);
  const shares = proportions(logs);
  expect(shares.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
  expect(proportions([0, -Infinity, 0])).toEqual([0.5, 0, 0.5]);
});

it("cut keeps every item, in order, in runs within one item of their share", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer(), { maxLength: 50 }),
      fc.array(fc.double({ min: 0.01, max: 1, noNaN: true }), { minLength: 1, maxLength: 8 }),
      (items, weights) => {
        const sum = weights.reduce((a, b) => a + b);
        const runs = cut(
          items,
          weights.map((weight) => weight / sum),
        );
        expect(runs.flat()).toEqual(items);
        runs.forEach((run, i) =>
          expect(Math.abs(run.length - (weights[i]! / sum) * items.length)).toBeLessThanOrEqual(1 + 1e-9),
        );
      },
    ),
  );
});
