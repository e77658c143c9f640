import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { goldenJson } from "../../test/support/golden.ts";
import type { Groups } from "../tensor/groups.ts";
import { type Params, subtract } from "../tensor/params.ts";
import { clipFactor, normOf } from "./clipped.ts";
import { combine } from "./combine.ts";
import { privateMean, type PrivateMeanRules } from "./private-mean.ts";

interface Golden {
  global: Record<string, number[]>;
  after: Record<string, Record<string, number[]>>;
  clip: number;
  noise_multiplier: number;
  divisor_expected_clients: number;
  clients: Record<string, { norm: number; factor: number; clipped: number[] }>;
  sum: number[];
}
const golden = goldenJson("privacy", "mechanisms.json").fedavg_round as Golden;

/** Noise that is not to be seen. */
const quiet: Partial<PrivateMeanRules> = { terms: () => ({ clip: golden.clip, noiseMultiplier: 1e-9 }) };

const key = new Uint8Array(32).fill(7);
const params = (values: Record<string, number[]>): Params =>
  new Map(Object.entries(values).map(([name, of]) => [name, { shape: [of.length], data: Float64Array.from(of) }]));
const flat = (groups: Groups): number[] =>
  Object.values(groups).flatMap((group) => [...group.values()].flatMap(({ data }) => [...data]));

const rules: PrivateMeanRules = {
  terms: () => ({ clip: golden.clip, noiseMultiplier: golden.noise_multiplier }),
  divisor: golden.divisor_expected_clients,
  key,
  run: "run",
};

/** The mean of whole adapters. */
async function meanOf(
  updates: readonly Params[],
  changes: Partial<PrivateMeanRules> = {},
  round = 1,
): Promise<number[]> {
  const global = params(golden.global);
  const groups = { adapter: { like: global, weighting: "uniform", combined: "mean" } } as const;
  const entries = updates.map((_, i) => ({ client: `c${i}`, records: 1 }));
  const read = async (place: number) => ({ adapter: updates[place]! });
  const combined = await combine(privateMean({ ...rules, ...changes }), groups, { entries, read }, { round, global });
  return flat({ delta: subtract(combined["adapter"]!, global) });
}

const all = Object.values(golden.after).map(params);

describe("clipping", () => {
  it("follows the golden clients, a change of zero too", () => {
    for (const [name, { norm, factor, clipped }] of Object.entries(golden.clients)) {
      const change = { delta: subtract(params(golden.after[name]!), params(golden.global)) };
      expect(normOf(change)).toBeCloseTo(norm, 12);
      expect(clipFactor(normOf(change), golden.clip)).toBeCloseTo(factor, 12);
      flat(change).forEach((x, i) => expect(x * factor).toBeCloseTo(clipped[i]!, 12));
    }
    expect(clipFactor(0, 1)).toBe(1);
    expect(clipFactor(Number.NaN, 1)).toBe(0);
    expect(clipFactor(Number.POSITIVE_INFINITY, 1)).toBe(0);
  });

  it("is over all groups as one vector", () => {
    expect(normOf({ delta: params({ a: [3] }), control: params({ a: [4] }) })).toBe(5);
  });
});

describe("the private mean", () => {
  it("without noise to speak of is the golden sum over the fixed divisor", async () => {
    const mean = await meanOf(all, quiet);
    mean.forEach((x, i) => expect(x).toBeCloseTo(golden.sum[i]! / golden.divisor_expected_clients, 7));
  });

  it("has the same noise again for the same sum, and other noise for another round, run, key or sum", async () => {
    const once = await meanOf(all);
    expect(await meanOf(all)).toEqual(once);
    const sum = await meanOf(all, quiet);
    const noise = once.map((x, i) => x - sum[i]!);
    expect(noise.every((x) => x !== 0)).toBe(true);
    const others = [
      await meanOf(all, {}, 2),
      await meanOf(all, { run: "other" }),
      await meanOf(all, { key: new Uint8Array(32).fill(8) }),
    ];
    for (const other of others) other.forEach((x, i) => expect(x).not.toBe(once[i]));
    // A missing client takes its change out, and the noise is drawn anew: a difference shows nobody's change.
    const without = await meanOf(all.slice(1));
    const sumWithout = await meanOf(all.slice(1), quiet);
    without.forEach((x, i) => expect(Math.abs(x - sumWithout[i]! - noise[i]!)).toBeGreaterThan(1e-6));
  });

  it("of an empty round is noise all the same", async () => {
    const noise = await meanOf([]);
    expect(noise).toHaveLength(5);
    expect(noise.every((x) => x !== 0)).toBe(true);
  });

  it("has the noise that was asked for: its variance on the sum is (zC)², over the divisor squared", async () => {
    const size = 40_000;
    const like = params({ w: Array.from({ length: size }, () => 0) });
    const groups = { delta: { like, weighting: "uniform", combined: "mean" } } as const;
    const noise = await privateMean(rules).combine(
      groups,
      { entries: [], read: () => Promise.reject(new Error("there is none")) },
      { round: 1, global: like },
    );
    const values = flat(noise);
    const variance = values.reduce((sum, x) => sum + x * x, 0) / size;
    const expected = ((golden.noise_multiplier * golden.clip) / golden.divisor_expected_clients) ** 2;
    expect(Math.abs(variance / expected - 1)).toBeLessThan(5 * Math.sqrt(2 / size));
  });

  it("is moved by one client by the clip over the divisor at most, whatever it sends", async () => {
    const value = fc.oneof(fc.double({ noNaN: true, min: -1e6, max: 1e6 }), fc.constantFrom(Number.NaN, 1e300, -1e300));
    await fc.assert(
      fc.asyncProperty(fc.array(value, { minLength: 5, maxLength: 5 }), async (lie) => {
        const liar = params({ "q.A": lie.slice(0, 3), "q.B": lie.slice(3) });
        const [having, lacking] = [await meanOf([...all, liar], quiet), await meanOf(all, quiet)];
        const moved = Math.hypot(...having.map((x, i) => x - lacking[i]!));
        expect(moved * golden.divisor_expected_clients).toBeLessThanOrEqual(golden.clip * (1 + 1e-7));
      }),
      { numRuns: 20 },
    );
  });

  it("clips all groups as one vector, each times its factor, and gives a sum where a sum is wanted", async () => {
    const like = params({ w: [0, 0] });
    const groups = {
      delta: { like, weighting: "uniform", combined: "mean" },
      control: { like, weighting: "uniform", combined: "sum" },
    } as const;
    const update = { delta: params({ w: [3, 0] }), control: params({ w: [0, 8] }) };
    const terms = () => ({ clip: 1, noiseMultiplier: 1e-9 });
    const { delta, control } = await privateMean({ ...rules, terms, scales: { control: 0.5 } }).combine(
      groups,
      { entries: [{ client: "a", records: 1 }], read: () => Promise.resolve(update) },
      { round: 1, global: like },
    );
    // The vector (3, 4) has norm 5.
    expect(flat({ delta: delta! })[0]).toBeCloseTo(3 / 5 / golden.divisor_expected_clients, 7);
    expect(flat({ control: control! })[1]).toBeCloseTo(8 / 5, 7);
  });

  it("does not depend on the order of clients, to the bit", async () => {
    expect(await meanOf([...all].reverse())).toEqual(await meanOf(all));
  });
});
