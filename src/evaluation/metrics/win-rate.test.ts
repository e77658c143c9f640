import fc from "fast-check";
import { expect, it, test } from "vitest";
import { metricGoldens } from "../../../test/support/metric-goldens.ts";
import { perplexity } from "./perplexity.ts";
import { preferenceAccuracy } from "../../train/preference-accuracy.ts";
import { lengthControlledWinRate, winRate } from "./win-rate.ts";

test.each(metricGoldens.lengthControlled)(
  "the length-controlled win rate is scikit-learn's logistic regression (%#)",
  ({ comparisons, ridge, winRate }) => {
    expect(lengthControlledWinRate(comparisons, { ridge })).toBeCloseTo(winRate, 9);
  },
);

it("counts a tie as half a win", () => {
  expect(winRate([1, 1, 0.5, 0])).toEqual({ winRate: 0.625, wins: 2, ties: 1, losses: 1 });
  expect(winRate([0.9, 0.2])).toEqual({ winRate: 0.55, wins: 1, ties: 0, losses: 1 });
});

it("win rates of the two sides add up to 1", () => {
  const comparison = fc.record({
    preference: fc.constantFrom(0, 0.5, 1),
    length: fc.integer({ min: 0, max: 999 }),
    baselineLength: fc.integer({ min: 1000, max: 2000 }),
  });
  fc.assert(
    fc.property(fc.array(comparison, { minLength: 3, maxLength: 20 }), (some) => {
      const comparisons = [...some, { preference: 0.5, length: 10, baselineLength: 0 }];
      const turned = comparisons.map(({ preference, length, baselineLength }) => ({
        preference: 1 - preference,
        length: baselineLength,
        baselineLength: length,
      }));
      expect(lengthControlledWinRate(comparisons) + lengthControlledWinRate(turned)).toBeCloseTo(1, 9);
      const [own, other] = [comparisons, turned].map((each) => winRate(each.map(({ preference }) => preference)));
      expect(own!.winRate + other!.winRate).toBeCloseTo(1, 12);
    }),
    // A step too few of the fit shows in one case of hundreds.
    { numRuns: 1000 },
  );
});

it("takes away what length alone explains, and nothing where length says nothing", () => {
  const one = (preference: number, length: number) => ({ preference, length, baselineLength: 500 });
  // Longer always wins, shorter always loses, and most answers are longer.
  const padded = [
    ...Array.from({ length: 30 }, (_, i) => one(1, 700 + i)),
    ...Array.from({ length: 10 }, (_, i) => one(0, 300 - i)),
  ];
  expect(winRate(padded.map(({ preference }) => preference)).winRate).toBe(0.75);
  expect(Math.abs(lengthControlledWinRate(padded) - 0.5)).toBeLessThan(0.15);
  const unrelated = [one(1, 400), one(1, 600), one(1, 400), one(1, 600), one(0, 400), one(0, 600)];
  expect(lengthControlledWinRate(unrelated, { ridge: 1e-6 })).toBeCloseTo(4 / 6, 5);
  const same = [one(1, 500), one(1, 500), one(0, 500)];
  expect(lengthControlledWinRate(same, { ridge: 1e-6 })).toBeCloseTo(2 / 3, 5);
});

it("refuses preferences that are none", () => {
  expect(() => winRate([])).toThrow("at least one preference, got none");
  expect(() => winRate([1.5])).toThrow("between 0 (baseline) and 1 (model), got 1.5");
  expect(() => winRate([NaN])).toThrow("got NaN");
  const longer = { preference: 1, length: 7, baselineLength: 5 };
  expect(() => lengthControlledWinRate([longer, longer])).toThrow(
    "all 2 answers differ from the baseline's by 2 characters",
  );
});

it("preference accuracy counts a tie as half", () => {
  expect(preferenceAccuracy([1, 2, 3, 1e-7], [0, 2.5, 2, 0])).toBe(0.625);
  expect(preferenceAccuracy([1e-7], [0], { tie: 0 })).toBe(1);
  expect(() => preferenceAccuracy([1], [])).toThrow("1 chosen and 0 rejected scores");
  expect(() => preferenceAccuracy([], [])).toThrow("0 chosen");
});

it("perplexity is over tokens, not texts", () => {
  const uniform = (tokens: number) => ({ nll: tokens * Math.log(50), tokens });
  expect(perplexity([uniform(3), uniform(40)])).toBeCloseTo(50, 10);
  expect(
    perplexity([
      { nll: 0, tokens: 3 },
      { nll: 4 * Math.log(2), tokens: 1 },
    ]),
  ).toBeCloseTo(2, 10);
  expect(() => perplexity([{ nll: 0, tokens: 0 }])).toThrow("at least one token, got 1 texts");
});
