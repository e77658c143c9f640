import fc from "fast-check";
import { expect, test } from "vitest";
import { keyStream } from "./secret-stream.ts";
import { drawWideNoise, wideNoise } from "./wide-noise.ts";

test("the deviation is at least what is asked for, and no more than the next factor needs", () => {
  fc.assert(
    fc.property(fc.double({ min: 1, max: 2 ** 25, noNaN: true }), (asked) => {
      const { factor, deviation } = wideNoise(asked);
      expect(deviation).toBeGreaterThanOrEqual(asked);
      if (factor > 0) expect(2 ** 14 * Math.hypot(1, factor - 1)).toBeLessThan(asked);
    }),
  );
  expect(wideNoise(1e12)).toEqual(wideNoise(2 ** 25));
});

test.each([1, 1e5, 2 ** 24])(
  "draws of a deviation of at least %d are whole, centred, and normal in their tails",
  async (asked) => {
    const noise = wideNoise(asked);
    const count = 40_000;
    const draws = [...(await drawWideNoise(noise, await keyStream(new Uint8Array(32).fill(7)), count))];
    expect(draws.every(Number.isInteger)).toBe(true);
    const scaled = draws.map((draw) => draw / noise.deviation);
    const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / count;
    // Five standard errors each: of the mean, of the second and fourth moments, and of the share beyond two deviations.
    expect(Math.abs(mean(scaled))).toBeLessThan(5 / Math.sqrt(count));
    expect(Math.abs(mean(scaled.map((x) => x * x)) - 1)).toBeLessThan(5 * Math.sqrt(2 / count));
    expect(Math.abs(mean(scaled.map((x) => x ** 4)) - 3)).toBeLessThan(5 * Math.sqrt(96 / count));
    const beyond = scaled.filter((x) => Math.abs(x) > 2).length / count;
    expect(Math.abs(beyond - 0.0455)).toBeLessThan(5 * Math.sqrt(0.0455 / count));
  },
);
