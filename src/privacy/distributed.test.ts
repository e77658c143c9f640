import { describe, expect, it } from "vitest";
import { goldenJson } from "../../test/support/golden.ts";
import { bitsWithoutWrap, distributedRho, roundedNorm, skellamRdp } from "./distributed.ts";
import { zcdpEpsilon } from "./rdp.ts";

interface Golden {
  discrete_gaussian: {
    clients: number;
    length: number;
    clip: number;
    grid: number;
    sigma_per_client: number;
    sensitivity_after_rounding: number;
    rho_one_round: number;
    "eps_one_round_delta_1e-5": number;
  }[];
  skellam: { mu_total_variance: number; l2: number; l1: number; rdp: Record<string, number> }[];
}
const golden = goldenJson("privacy", "mechanisms.json").distributed as Golden;
const noiseOf = (row: Golden["discrete_gaussian"][number]) => ({
  survivors: row.clients,
  length: row.length,
  clip: row.clip,
  step: row.grid,
  deviation: row.sigma_per_client,
});

describe("distributed noise", () => {
  it.each(golden.discrete_gaussian)("$clients discrete Gaussians, grid $grid", (row) => {
    expect(roundedNorm(noiseOf(row)) / row.sensitivity_after_rounding).toBeCloseTo(1, 12);
    const rho = distributedRho(noiseOf(row));
    expect(rho / row.rho_one_round).toBeCloseTo(1, 9);
    expect(zcdpEpsilon(rho, 1e-5).epsilon / row["eps_one_round_delta_1e-5"]).toBeCloseTo(1, 6);
  });

  it.each(golden.skellam)("Skellam of variance $mu_total_variance", ({ mu_total_variance, l2, l1, rdp }) => {
    for (const [alpha, expected] of Object.entries(rdp)) {
      expect(skellamRdp(Number(alpha), mu_total_variance, l2, l1) / expected).toBeCloseTo(1, 12);
    }
  });

  it("costs less with more survivors, and more on a coarser grid", () => {
    const noise = { survivors: 10, length: 1000, clip: 1, step: 1e-3, deviation: 0.5 };
    expect(distributedRho({ ...noise, survivors: 20 })).toBeLessThan(distributedRho(noise));
    expect(distributedRho({ ...noise, step: 1e-1 })).toBeGreaterThan(distributedRho(noise));
  });

  it("fits 1,000 clients into 32 bits on a grid of a hundred-thousandth of the clip", () => {
    const noise = { survivors: 500, length: 10_000, clip: 1, step: 1e-5, deviation: 0.05 };
    expect(bitsWithoutWrap(noise, 1000)).toBeLessThanOrEqual(32);
    const bits = bitsWithoutWrap(noise, 10);
    const largest = (10 * (roundedNorm(noise) + 12 * noise.deviation)) / noise.step;
    expect(2 ** (bits - 1)).toBeGreaterThan(largest);
    expect(2 ** (bits - 2)).toBeLessThanOrEqual(largest);
  });
});
