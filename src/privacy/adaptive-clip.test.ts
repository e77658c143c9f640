import { describe, expect, it } from "vitest";
import { goldenJson } from "../../test/support/golden.ts";
import { defaultCountDeviation, nextClip, unclippedBit, updateNoiseMultiplier } from "./adaptive-clip.ts";

interface Golden {
  noise_multiplier: number;
  count_sigma: number;
  noise_multiplier_of_the_delta: number;
  expected_clients: number;
  quantile: number;
  rate: number;
  rounds: {
    norms: number[];
    standard_normal: number;
    clip: number;
    bits: number[];
    noise_on_the_sum: number;
    next_clip: number;
  }[];
  refused: { count_sigma: number };
}
const golden = goldenJson("privacy", "mechanisms.json").adaptive_clipping as Golden;
const settings = { start: golden.rounds[0]!.clip, quantile: golden.quantile, rate: golden.rate };

describe("adaptive clipping", () => {
  it("follows the golden rounds: noise of a round's own clip, then the next clip", () => {
    const z = updateNoiseMultiplier(golden.noise_multiplier, golden.count_sigma);
    expect(z).toBeCloseTo(golden.noise_multiplier_of_the_delta, 12);
    let clip = settings.start;
    for (const round of golden.rounds) {
      expect(clip).toBeCloseTo(round.clip, 12);
      expect(z * clip).toBeCloseTo(round.noise_on_the_sum, 12);
      const bits = round.norms.map((norm) => unclippedBit(norm, clip));
      expect(bits.map((bit) => bit + 0.5)).toEqual(round.bits);
      const noisySum = bits.reduce((a, b) => a + b, 0) + golden.count_sigma * round.standard_normal;
      clip = nextClip(clip, noisySum, golden.expected_clients, settings);
      expect(clip).toBeCloseTo(round.next_clip, 12);
    }
  });

  it("grows while all are clipped, shrinks while none is, and keeps within a factor of 1000", () => {
    expect(nextClip(0.1, -5, 10, settings)).toBeGreaterThan(0.1);
    expect(nextClip(0.1, 5, 10, settings)).toBeLessThan(0.1);
    expect(nextClip(0.1, 0, 10, settings)).toBe(0.1);
    expect(nextClip(99, -1e9, 10, settings)).toBe(1000 * settings.start);
    expect(nextClip(0.1, 1e9, 10, settings)).toBe(settings.start / 1000);
  });

  it("refuses a count that leaves no noise for the update", () => {
    const refused = () => updateNoiseMultiplier(golden.noise_multiplier, golden.refused.count_sigma);
    expect(refused).toThrow("the count of unclipped updates has noise 0.5, expected more than half of");
    expect(updateNoiseMultiplier(0, 0.5)).toBe(0);
    expect(defaultCountDeviation(40)).toBe(2);
  });
});
