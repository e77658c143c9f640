import { describe, expect, it } from "vitest";
import { SCHEDULES } from "./schedule.ts";

const rates = { learningRate: 5e-5, minLearningRate: 1e-6 };

describe("cosine", () => {
  it("gives OpenFedLLM's learning rates for 200 rounds from 5e-5 to 1e-6", () => {
    expect(SCHEDULES.cosine(rates, 1, 200)).toBe(5e-5);
    expect(SCHEDULES.cosine(rates, 101, 200)).toBeCloseTo(2.55e-5, 12);
    expect(SCHEDULES.cosine(rates, 200, 200)).toBeCloseTo(1.003e-6, 9);
  });

  it("never rises, and never goes below the floor", () => {
    const all = Array.from({ length: 50 }, (_, i) => SCHEDULES.cosine(rates, i + 1, 50));
    for (const [i, rate] of all.entries()) {
      expect(rate).toBeGreaterThanOrEqual(rates.minLearningRate);
      if (i > 0) expect(rate).toBeLessThan(all[i - 1]!);
    }
  });
});

it("constant stays", () => {
  expect(SCHEDULES.constant(rates, 7, 10)).toBe(5e-5);
});
