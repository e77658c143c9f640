import { describe, expect, it } from "vitest";
import { membersOf, QuadraticTrainer } from "../../../test/support/federation.ts";
import { playSecure, RULES } from "../../../test/support/secure.ts";
import { distributedRho } from "../../privacy/distributed.ts";
import { gridStep } from "../../privacy/noise-grid.ts";
import type { Params } from "../../tensor/params.ts";
import { aggregatorOf } from "../../updates/aggregator-registry.ts";
import { toNoisyWords, vectorLayout } from "./masked-vector.ts";

const LENGTH = 20_000;
const start: Params = new Map([["lora_A.weight", { shape: [LENGTH], data: new Float32Array(LENGTH) }]]);
const groups = { delta: { like: start, weighting: "uniform", combined: "mean" } } as const;

const clip = 1;
const z = 2;
const deviation = (z * clip) / Math.sqrt(3);
const step = gridStep(deviation);
const noise = { clip, step, sigma: deviation / step, divisor: 5 };

describe("noise of the clients together", () => {
  it("on a sum is as much as each of its clients adds, and the divisor is fixed", async () => {
    const names = ["a", "b", "c", "d"];
    const { outcome, close } = await playSecure({
      names,
      rules: { ...RULES, noise },
      lostIn: { d: "update" },
      options: { initialAdapter: start, members: membersOf(names).map((member) => ({ ...member, records: 1 })) },
      participant: () => ({ figures: "kept", trainer: new QuadraticTrainer({ a: 1, b: 1, c: 1, d: 1 }) }),
    });
    expect(close.accepted).toHaveLength(3);
    const data = [...outcome.adapter.get("lora_A.weight")!.data];
    const mean = data.reduce((sum, x) => sum + x, 0) / LENGTH;
    const variance = data.reduce((sum, x) => sum + (x - mean) ** 2, 0) / LENGTH;
    // Three clipped updates of 1/√d a coordinate, over 5; three shares of the noise are z·clip.
    expect(Math.abs(mean - 3 / Math.sqrt(LENGTH) / 5)).toBeLessThan((4 * z) / 5 / Math.sqrt(LENGTH));
    expect(Math.sqrt(variance)).toBeGreaterThan(((z * clip) / 5) * 0.97);
    expect(Math.sqrt(variance)).toBeLessThan(((z * clip) / 5) * 1.03);
  });

  it("is on the sum of each bucket, and the mean of buckets is as long as that of all", async () => {
    const names = ["a", "b", "c", "d", "e", "f"];
    const { outcome, close } = await playSecure({
      names,
      rules: { ...RULES, noise: { ...noise, divisor: 6 }, buckets: 2 },
      options: {
        initialAdapter: start,
        aggregator: aggregatorOf("mean"),
        members: membersOf(names).map((member) => ({ ...member, records: 1 })),
      },
      participant: (client) => ({ figures: "kept", trainer: new QuadraticTrainer({ [client]: 1 }) }),
    });
    expect(close.accepted).toHaveLength(6);
    const data = [...outcome.adapter.get("lora_A.weight")!.data];
    const mean = data.reduce((sum, x) => sum + x, 0) / LENGTH;
    // Six clipped updates of 1/√d a coordinate over 6, with six shares of the noise.
    expect(Math.abs(mean - 1 / Math.sqrt(LENGTH))).toBeLessThan((4 * deviation) / Math.sqrt(6) / Math.sqrt(LENGTH));
    const variance = data.reduce((sum, x) => sum + (x - mean) ** 2, 0) / LENGTH;
    expect(Math.sqrt(variance) / (deviation / Math.sqrt(6))).toBeCloseTo(1, 1);
  });

  it("has the price of a Gaussian of multiplier z, in the sum of the fewest clients", () => {
    // Cut toward zero, a vector does not grow: the grid's own share of the sensitivity is not there.
    const rho = distributedRho({ survivors: 3, length: 0, clip, step, deviation });
    expect(rho).toBeCloseTo(1 / (2 * z ** 2), 12);
  });

  it("is added to a vector that is never longer than the clip, whatever the client trained", () => {
    const rules = { ...RULES, noise };
    const layout = vectorLayout(groups, { delta: start }, { rules, clients: 4, weightMax: 1 });
    const draws = new Int32Array(LENGTH);
    for (const size of [1e-3, 1, 1e6]) {
      const data = Float64Array.from({ length: LENGTH }, (_, i) => size * Math.sin(i));
      const delta = new Map([["lora_A.weight", { shape: [LENGTH], data }]]);
      const words = toNoisyWords({ delta }, layout, { bits: 32, noise, draws });
      const norm = Math.hypot(...Array.from(new Int32Array(words.buffer).subarray(4), (word) => word * step));
      expect(norm).toBeLessThanOrEqual(clip);
      if (size >= 1) expect(norm).toBeGreaterThan(clip * 0.9);
    }
    const bad = new Map([["lora_A.weight", { shape: [LENGTH], data: new Float64Array(LENGTH).fill(Number.NaN) }]]);
    expect(() => toNoisyWords({ delta: bad }, layout, { bits: 32, noise, draws })).toThrow("not finite");
  });
});
