import fc from "fast-check";
import { expect, test } from "vitest";
import { scoreOf } from "./token-score.ts";

test("the likeliest tokens are those of a whole sort, the first of equals first", () => {
  const small = fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(small, fc.nat({ max: 14 }), (values, alternatives) => {
      const sum = values.reduce((total, value) => total + Math.exp(value), 0);
      const want = values
        .map((value, token) => ({ token, value }))
        .sort((a, b) => b.value - a.value || a.token - b.token)
        .slice(0, alternatives);
      const { logProbability, likeliest } = scoreOf(Float32Array.from(values), 0, alternatives);
      expect(logProbability).toBeCloseTo(values[0]! - Math.log(sum), 6);
      expect(likeliest.map(({ token }) => token)).toEqual(want.map(({ token }) => token));
      likeliest.forEach((each, i) => expect(each.logProbability).toBeCloseTo(want[i]!.value - Math.log(sum), 6));
    }),
  );
});
