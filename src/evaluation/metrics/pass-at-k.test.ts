import fc from "fast-check";
import { expect, it, test } from "vitest";
import { metricGoldens } from "../../../test/support/metric-goldens.ts";
import { meanPassAtK, passAtK } from "./pass-at-k.ts";

test.each(metricGoldens.passAtK)("n %i, c %i, k %i: as with exact binomials", (samples, correct, k, expected) => {
  expect(passAtK({ samples, correct }, k)).toBeCloseTo(expected, 12);
});

const attempts = fc
  .integer({ min: 1, max: 300 })
  .chain((samples) => fc.record({ samples: fc.constant(samples), correct: fc.integer({ min: 0, max: samples }) }));

it("pass@1 is the share that passes, and more tries or more correct programs never hurt", () => {
  fc.assert(
    fc.property(attempts, fc.nat(), ({ samples, correct }, n) => {
      const k = 1 + (n % samples);
      const value = passAtK({ samples, correct }, k);
      expect(passAtK({ samples, correct }, 1)).toBeCloseTo(correct / samples, 12);
      expect(passAtK({ samples, correct }, samples)).toBeCloseTo(correct > 0 ? 1 : 0, 12);
      if (k < samples) expect(passAtK({ samples, correct }, k + 1)).toBeGreaterThanOrEqual(value - 1e-12);
      if (correct < samples) {
        expect(passAtK({ samples, correct: correct + 1 }, k)).toBeGreaterThanOrEqual(value - 1e-12);
      }
    }),
  );
});

it("is the mean over problems", () => {
  expect(
    meanPassAtK(
      [
        { samples: 4, correct: 1 },
        { samples: 2, correct: 2 },
      ],
      1,
    ),
  ).toBeCloseTo(0.625, 12);
});

it("refuses what estimates nothing", () => {
  expect(() => passAtK({ samples: 5, correct: 1 }, 10)).toThrow(
    "1 <= k <= samples and 0 <= correct <= samples, got k 10",
  );
  expect(() => passAtK({ samples: 5, correct: 6 }, 1)).toThrow("correct 6");
  expect(() => passAtK({ samples: 5, correct: 1 }, 0.5)).toThrow(RangeError);
  expect(() => meanPassAtK([], 1)).toThrow("at least one problem, got none");
});
