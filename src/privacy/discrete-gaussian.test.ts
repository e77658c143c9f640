import { describe, expect, it } from "vitest";
import { goldenJson } from "../../test/support/golden.ts";
import { stream as publicStream } from "../tensor/random.ts";
import {
  discreteGaussian,
  type DiscreteGaussianTable,
  discreteGaussianTable,
  drawDiscreteGaussian,
} from "./discrete-gaussian.ts";
import { gaussianEpsilon } from "./gaussian.ts";
import { exactDiscreteGaussian } from "./exact-discrete-gaussian.ts";
import { gridStep, onGrid } from "./noise-grid.ts";
import { secretStream, type SecretStream } from "./secret-stream.ts";

interface Golden {
  sigma2: number;
  variance: number;
  pmf: Record<string, number>;
  delta_sensitivity_1: Record<string, number>;
}
const goldens = goldenJson("privacy", "mechanisms.json").discrete_gaussian as Golden[];

/** P(|Y| ≤ k) as the table has it. */
function cumulative({ high, low }: DiscreteGaussianTable, k: number): bigint {
  if (k < 0) return 0n;
  const words = [high[k]!, low[3 * k]!, low[3 * k + 1]!, low[3 * k + 2]!];
  return words.reduce((sum, word) => (sum << 32n) | BigInt(word), 0n);
}

/** P(Y = k) for k of any sign. */
function probability(table: DiscreteGaussianTable, k: number): number {
  const size = Math.abs(k);
  if (size >= table.high.length) return 0;
  const mass = Number(cumulative(table, size) - cumulative(table, size - 1)) / 2 ** 128;
  return size === 0 ? mass : mass / 2;
}

/** Σ (observed − expected)²/expected over cells that expect at least 10 draws, the rest in one; and how many cells. */
function chiSquared(draws: readonly number[], table: DiscreteGaussianTable): { statistic: number; cells: number } {
  const counts = new Map<number, number>();
  for (const draw of draws) counts.set(draw, (counts.get(draw) ?? 0) + 1);
  let statistic = 0;
  let cells = 0;
  let restObserved = draws.length;
  let restExpected = draws.length;
  for (let k = -table.high.length; k <= table.high.length; k++) {
    const expected = draws.length * probability(table, k);
    if (expected < 10) continue;
    statistic += ((counts.get(k) ?? 0) - expected) ** 2 / expected;
    restObserved -= counts.get(k) ?? 0;
    restExpected -= expected;
    cells++;
  }
  if (restExpected > 1) statistic += (restObserved - restExpected) ** 2 / restExpected;
  return { statistic, cells };
}

/** Five deviations above the mean of χ². Keys and seeds are fixed, so a right sampler passes always. */
const likely = (cells: number): number => cells + 5 * Math.sqrt(2 * cells);

const variance = (draws: readonly number[]): number => draws.reduce((sum, k) => sum + k * k, 0) / draws.length;

const key = new Uint8Array(32).fill(7);
const DRAWS = 100_000;

describe("the discrete Gaussian", () => {
  it.each(goldens)("of variance parameter $sigma2 has the golden mass and delta", (golden) => {
    const table = discreteGaussianTable(Math.sqrt(golden.sigma2));
    for (const [k, mass] of Object.entries(golden.pmf)) {
      expect(Math.abs(probability(table, Number(k)) / mass - 1)).toBeLessThan(1e-13);
    }
    for (const [epsilon, delta] of Object.entries(golden.delta_sensitivity_1)) {
      if (delta < 1e-30) continue;
      const above = (bound: number): number => {
        let sum = 0;
        for (let k = table.high.length; k > bound; k--) sum += probability(table, k);
        return sum;
      };
      const middle = Number(epsilon) * golden.sigma2;
      const got = above(middle - 0.5) - Math.exp(Number(epsilon)) * above(middle + 0.5);
      expect(Math.abs(got / delta - 1)).toBeLessThan(1e-9);
    }
  });

  it.each(goldens)("of variance parameter $sigma2: draws by table follow it", async (golden) => {
    const table = discreteGaussianTable(Math.sqrt(golden.sigma2));
    const draws = [...(await drawDiscreteGaussian(table, await secretStream(key, `test ${golden.sigma2}`), DRAWS))];
    const { statistic, cells } = chiSquared(draws, table);
    expect(statistic).toBeLessThan(likely(cells));
    expect(Math.abs(variance(draws) / golden.variance - 1)).toBeLessThan(0.03);
  });

  it.each(goldens)("of variance parameter $sigma2: the exact twin follows it", (golden) => {
    const random = publicStream(3, "test", golden.sigma2);
    const bytes = (length: number) => Uint8Array.from({ length }, () => random.uint32() >>> 24);
    const draws = Array.from({ length: DRAWS / 5 }, () =>
      Number(exactDiscreteGaussian(bytes, Math.sqrt(golden.sigma2))),
    );
    const { statistic, cells } = chiSquared(draws, discreteGaussianTable(Math.sqrt(golden.sigma2)));
    expect(statistic).toBeLessThan(likely(cells));
    expect(Math.abs(variance(draws) / golden.variance - 1)).toBeLessThan(0.05);
  });

  it("has a table as long as its tail for a deviation of 2^12 steps, and thresholds that rise", () => {
    const table = discreteGaussianTable(4096);
    expect(table.high).toHaveLength(Math.ceil(13.75 * 4096) + 2);
    for (let k = 1; k < table.high.length; k++) {
      if (cumulative(table, k) < cumulative(table, k - 1)) expect.unreachable(`threshold ${k} falls`);
    }
    // The continuous density is the mass at that deviation, to many digits.
    const density = Math.exp(-0.5) / Math.sqrt(2 * Math.PI) / 4096;
    expect(Math.abs(probability(table, 4096) / density - 1)).toBeLessThan(1e-12);
  });

  it("looks at the low words where the first word does not decide", async () => {
    const table = discreteGaussianTable(2);
    const at = 3;
    const threshold = cumulative(table, at);
    const drawn = async (uniform: bigint): Promise<number> => {
      const words = Uint32Array.from([96n, 64n, 32n, 0n], (shift) => Number((uniform >> shift) & 0xffffffffn));
      const answers = [words.slice(0, 1), Uint32Array.of(0), words.slice(1)].map(
        ({ buffer }) => new Uint8Array(buffer),
      );
      const scripted: SecretStream = { bytes: (length) => Promise.resolve(answers.shift()!.slice(0, length)) };
      return (await drawDiscreteGaussian(table, scripted, 1))[0]!;
    };
    expect(Math.abs(await drawn(threshold - 1n))).toBe(at);
    expect(Math.abs(await drawn(threshold))).toBe(at + 1);
    expect(Math.abs(await drawn(threshold + 1n))).toBe(at + 1);
    expect(Math.abs(await drawn(0n))).toBe(0);
    expect(Math.abs(await drawn((1n << 128n) - 1n))).toBe(table.high.length - 1);
  });

  it("repeats itself for the same key and purpose", async () => {
    const draw = async (purpose: string) => [...(await discreteGaussian(await secretStream(key, purpose), 5.5, 200))];
    expect(await draw("a")).toEqual(await draw("a"));
    expect(await draw("a")).not.toEqual(await draw("b"));
  });

  it("refuses deviations outside its range", () => {
    expect(() => discreteGaussianTable(0)).toThrow(
      "a discrete Gaussian needs a deviation of 0.0625 to 65536 grid steps",
    );
    expect(() => discreteGaussianTable(1e6)).toThrow("got 1000000");
  });
});

describe("on the grid of the noise", () => {
  it.each([0.25, 1, 2])("costs the epsilon of the continuous Gaussian to six digits, mu %d", (mu) => {
    const sigma = 2 ** 11;
    const table = discreteGaussianTable(sigma);
    const size = table.high.length;
    const tails = new Float64Array(2 * size + 2);
    for (let k = size; k >= -size; k--) tails[k + size] = tails[k + size + 1]! + probability(table, k);
    const above = (bound: number): number => tails[Math.max(0, Math.floor(bound) + 1 + size)] ?? 0;
    const shift = mu * sigma;
    const delta = (epsilon: number): number => {
      const middle = (epsilon * sigma * sigma) / shift;
      return above(middle - shift / 2) - Math.exp(epsilon) * above(middle + shift / 2);
    };
    for (const target of [1e-3, 1e-5, 1e-7]) {
      const epsilon = gaussianEpsilon(mu, target);
      expect(delta(epsilon * (1 + 1e-6))).toBeLessThan(target);
      expect(delta(epsilon * (1 - 1e-6))).toBeGreaterThan(target);
    }
  });
});

describe("the noise grid", () => {
  it.each([1e-6, 0.37, 1, 2 ** -20, 1023.999, 5e5])("of deviation %d has 2^11 to 2^12 steps in it", (deviation) => {
    const step = gridStep(deviation);
    expect(Number.isInteger(Math.log2(step))).toBe(true);
    expect(deviation / step).toBeGreaterThanOrEqual(2 ** 11);
    expect(deviation / step).toBeLessThan(2 ** 12);
  });

  it("rounds toward zero, so that no norm grows", () => {
    expect([0.9, -0.9, 1.3, -1.3, 0.25].map((value) => onGrid(value, 0.5))).toEqual([1, -1, 2, -2, 0]);
    expect(Object.is(onGrid(-0.1, 0.5), 0)).toBe(true);
    expect(() => gridStep(0)).toThrow("noise needs a deviation, got 0");
  });
});
