import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { exposureOf } from "./exposure.ts";

const distinct = fc.uniqueArray(fc.double({ noNaN: true, min: -50, max: 0 }), {
  minLength: 2,
  maxLength: 60,
  // 0 and -0 are the same score.
  comparator: "IsStrictlyEqual",
});

describe("exposure", () => {
  test("of the likeliest of all secrets is log2|R|", () => {
    const others = Float64Array.from({ length: 1023 }, (_, i) => -2 - i / 7);
    expect(exposureOf(-1, others)).toEqual({ rank: 1, bits: 10, first: true });
  });

  test("of the unlikeliest is 0 bits", () => {
    expect(exposureOf(-9, [-1, -2, -3])).toEqual({ rank: 4, bits: 0, first: false });
  });

  test("falls by a bit where the rank doubles", () => {
    expect(exposureOf(-2, [-1, -3, -4, -5, -6, -7, -8]).bits).toBe(2);
  });

  test("is the definition for every rank", () => {
    fc.assert(
      fc.property(distinct, fc.nat(), (scores, pick) => {
        const i = pick % scores.length;
        const sorted = [...scores].sort((a, b) => b - a);
        const { rank, bits } = exposureOf(scores[i]!, scores.toSpliced(i, 1));
        expect(rank).toBe(sorted.indexOf(scores[i]!) + 1);
        expect(bits).toBeCloseTo(Math.log2(scores.length / rank), 10);
      }),
    );
  });

  test("averages log2(e) over all ranks: what a model has that knows nothing", () => {
    const size = 1000;
    const scores = Array.from({ length: size }, (_, i) => -i);
    const bits = scores.map((own, i) => exposureOf(own, scores.toSpliced(i, 1)).bits);
    expect(bits.reduce((a, b) => a + b, 0) / size).toBeCloseTo(Math.LOG2E, 1);
  });

  test("of a constant model is one bit, whatever the secret: ties count half", () => {
    const { bits, first } = exposureOf(-3, new Float64Array(1023).fill(-3));
    expect(bits).toBeCloseTo(Math.log2(1024 / 512.5), 10);
    expect(first).toBe(false);
  });

  test("of a broken model is 0 bits", () => {
    expect(exposureOf(Number.NaN, [-1, -2, -3]).bits).toBe(0);
    expect(exposureOf(-1, [Number.NaN, Number.NaN, Number.NaN]).bits).toBe(0);
  });
});
