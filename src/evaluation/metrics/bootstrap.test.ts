import fc from "fast-check";
import { expect, it } from "vitest";
import { stream } from "../../tensor/random.ts";
import { bleuOf, textStatistics } from "./bleu.ts";
import { sumBleuStatistics } from "./bleu-statistics.ts";
import { bootstrap, bootstrapMean, pairedDifference } from "./bootstrap.ts";
import { classificationReport } from "./classification.ts";

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const graded = (n: number, right: number): number[] => Array.from({ length: n }, (_, i) => (i < right ? 1 : 0));

it("has the ends of the exact bootstrap distribution", () => {
  const values = [0, 1, 3, 7];
  const all = values.flatMap((a) =>
    values.flatMap((b) => values.flatMap((c) => values.map((d) => mean([a, b, c, d])))),
  );
  all.sort((a, b) => a - b);
  // Of 256 equally likely resamples, at levels where the quantile is far from a step.
  for (const level of [0.9, 0.8, 0.6]) {
    const { low, high } = bootstrapMean(values, { seed: 3, resamples: 40_000, level });
    const quantile = (share: number): number => all[Math.floor(share * 256)]!;
    expect(low).toBe(quantile((1 - level) / 2));
    expect(high).toBe(quantile((1 + level) / 2));
  }
});

it("agrees with the normal interval of a proportion", () => {
  const { value, low, high, n } = bootstrapMean(graded(2000, 600), { seed: 5, resamples: 4000 });
  const margin = 1.95996 * Math.sqrt((0.3 * 0.7) / 2000);
  expect([value, n]).toEqual([0.3, 2000]);
  expect(Math.abs(low - (0.3 - margin))).toBeLessThan(0.1 * margin);
  expect(Math.abs(high - (0.3 + margin))).toBeLessThan(0.1 * margin);
});

it("the mean's fast path is the general one, and a seed gives the same interval", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 30 }), fc.nat(), (values, seed) => {
      const options = { seed, resamples: 100 };
      const interval = bootstrapMean(values, options);
      expect(bootstrap(values, mean, options)).toEqual(interval);
      expect(interval.low).toBeLessThanOrEqual(interval.high);
    }),
    { numRuns: 50 },
  );
  const other = bootstrapMean(graded(50, 20), { seed: 1 });
  expect(bootstrapMean(graded(50, 20), { seed: 2 })).not.toEqual(other);
});

it("contains the value, and shrinks with more items and with a lower level", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 20 }), fc.nat(), (right, seed) => {
      const some = bootstrapMean(graded(20, right), { seed });
      const many = bootstrapMean(graded(500, 25 * right), { seed });
      const narrow = bootstrapMean(graded(20, right), { seed, level: 0.5 });
      for (const { value, low, high } of [some, many]) expect(low <= value && value <= high).toBe(true);
      const width = ({ low, high }: typeof some): number => high - low;
      if (right > 0 && right < 20) expect(width(many)).toBeLessThan(width(some));
      expect(width(narrow)).toBeLessThanOrEqual(width(some));
    }),
    { numRuns: 30 },
  );
});

it("takes statistics of a whole corpus", () => {
  const random = stream(11, "test");
  const word = (): string => ["stone", "grass", "cloud", "field"][random.integer(4)]!;
  const segments = Array.from({ length: 40 }, () => {
    const reference = Array.from({ length: 12 }, word);
    return textStatistics(reference.map((each) => (random.uniform() < 0.2 ? word() : each)).join(" "), [
      reference.join(" "),
    ]);
  });
  const bleu = bootstrap(segments, (sample) => bleuOf(sumBleuStatistics(sample)).score, { seed: 0, resamples: 300 });
  expect(bleu.value).toBe(bleuOf(sumBleuStatistics(segments)).score);
  expect(bleu.low < bleu.value && bleu.value < bleu.high && bleu.high < 100).toBe(true);
  const pairs = Array.from({ length: 60 }, (_, i) => ({ truth: i % 3, predicted: i % 4 === 0 ? (i + 1) % 3 : i % 3 }));
  const macroF1 = (sample: readonly (typeof pairs)[number][]): number =>
    classificationReport(
      sample.map(({ truth }) => truth),
      sample.map(({ predicted }) => predicted),
    ).macro.f1;
  const f1 = bootstrap(pairs, macroF1, { seed: 0, resamples: 300 });
  expect(f1.low < f1.value && f1.value < f1.high).toBe(true);
});

it("one item gives an interval of no width", () => {
  expect(bootstrapMean([0.4], { seed: 1 })).toEqual({ value: 0.4, low: 0.4, high: 0.4, n: 1 });
});

it("a paired difference is surer than its systems", () => {
  // The first is right wherever the second is, and in ten more of two hundred.
  const [first, second] = [graded(200, 110), graded(200, 100)];
  const { value, low, high, ahead, n } = pairedDifference(first, second, mean, { seed: 4 });
  expect([value, n]).toEqual([expect.closeTo(0.05, 12), 200]);
  expect(low).toBeGreaterThan(0);
  expect(ahead).toBe(1);
  const [one, two] = [bootstrapMean(first, { seed: 4 }), bootstrapMean(second, { seed: 4 })];
  expect(one.low).toBeLessThan(two.high);
  expect(high - low).toBeLessThan((one.high - one.low) / 2);
});

it("a paired difference turned round is the negative, and of equals it is 0", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(5), fc.nat(5)), { minLength: 1, maxLength: 20 }), fc.nat(), (pairs, seed) => {
      const options = { seed, resamples: 200 };
      const [a, b] = [pairs.map(([x]) => x), pairs.map(([, y]) => y)];
      const [there, back] = [pairedDifference(a, b, mean, options), pairedDifference(b, a, mean, options)];
      expect(there.value).toBeCloseTo(-back.value, 12);
      expect(there.low).toBeCloseTo(-back.high, 12);
      expect(there.ahead + back.ahead).toBeCloseTo(1, 12);
      expect(pairedDifference(a, a, mean, options)).toEqual({ value: 0, low: 0, high: 0, n: a.length, ahead: 0.5 });
    }),
    { numRuns: 50 },
  );
});

it("refuses what has no interval", () => {
  expect(() => bootstrapMean([], { seed: 1 })).toThrow("at least one item, got none");
  expect(() => bootstrapMean([1], { seed: 1, resamples: 0 })).toThrow(
    "resamples >= 1 and 0 < level < 1, got 0 and 0.95",
  );
  expect(() => bootstrapMean([1], { seed: 1, level: 95 })).toThrow("got 1000 and 95");
  expect(() => bootstrapMean([1, NaN], { seed: 1 })).toThrow("not a number for the items");
  const first = (sample: readonly number[]): number => (sample.every((x) => x === 1) ? NaN : 0);
  expect(() => bootstrap([1, 2], first, { seed: 1 })).toThrow("not a number for a resample");
  expect(() => pairedDifference([1], [1, 2], mean, { seed: 1 })).toThrow("got 1 and 2");
});
