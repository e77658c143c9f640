import { describe, expect, it } from "vitest";
import { goldenJson } from "../../test/support/golden.ts";
import {
  correlatedSensitivity,
  prefixDeviation,
  squareRootCorrelation,
  treeHeight,
  treeNodesInPrefix,
  treeRho,
} from "./correlated-noise.ts";
import { zcdpEpsilon } from "./rdp.ts";

interface Golden {
  tree: {
    rounds: number;
    height: number;
    nodes_in_prefix: Record<string, number>;
    rho_one_participation_sigma_1: number;
  }[];
  sqrt_toeplitz: {
    c: number[];
    inverse: number[];
    factorisations: {
      rounds: number;
      sensitivity_one_participation: number;
      sensitivity_every_4th_round: number;
      sensitivity_every_round: number;
      max_error_of_a_prefix_sum: number;
    }[];
    independent: number[];
    noise_of_each_round: number[];
  };
}
const golden = goldenJson("privacy", "mechanisms.json").correlated_noise as Golden;
const trees = goldenJson("privacy", "accountant-dp-accounting.json").tree_single_epoch as {
  steps: number;
  sigma: number;
  delta: number;
  eps_rdp: number;
}[];

describe("correlated noise", () => {
  it("has the golden coefficients, and makes the golden noise of them", () => {
    const { c, inverse, independent, noise_of_each_round } = golden.sqrt_toeplitz;
    const correlation = squareRootCorrelation(c.length);
    for (const [k, value] of c.entries()) expect(correlation.strategy[k]).toBeCloseTo(value, 14);
    for (const [k, value] of inverse.entries()) expect(correlation.inverse[k]).toBeCloseTo(value, 14);
    for (const [t, expected] of noise_of_each_round.entries()) {
      let noise = 0;
      for (let i = 0; i <= t; i++) noise += correlation.inverse[i]! * independent[t - i]!;
      expect(noise).toBeCloseTo(expected, 13);
    }
  });

  it.each(golden.sqrt_toeplitz.factorisations)("has the golden sensitivities for $rounds rounds", (row) => {
    const correlation = squareRootCorrelation(row.rounds);
    const sensitivity = (separation: number, most: number) => correlatedSensitivity(correlation, { separation, most });
    expect(sensitivity(1, 1)).toBeCloseTo(row.sensitivity_one_participation, 12);
    expect(sensitivity(4, row.rounds)).toBeCloseTo(row.sensitivity_every_4th_round, 12);
    expect(sensitivity(1, row.rounds)).toBeCloseTo(row.sensitivity_every_round, 12);
    expect(prefixDeviation(correlation) * sensitivity(1, 1)).toBeCloseTo(row.max_error_of_a_prefix_sum, 12);
  });

  it("cut to bands, is inverted as it is used: one band is independent noise", () => {
    const independent = squareRootCorrelation(9, 1);
    expect(independent.inverse).toEqual([1]);
    expect(correlatedSensitivity(independent, { separation: 2, most: 4 })).toBeCloseTo(2, 14);
    expect(prefixDeviation(independent)).toBeCloseTo(3, 14);
    const bands = squareRootCorrelation(16, 5);
    for (let t = 1; t < 16; t++) {
      let product = 0;
      for (let i = 0; i <= t; i++) product += (bands.inverse[i] ?? 0) * bands.strategy[t - i]!;
      expect(product).toBeCloseTo(0, 14);
    }
  });

  it("charges the worst pattern that is allowed", () => {
    for (const bands of [3, 20]) {
      const correlation = squareRootCorrelation(20, bands);
      const bound = correlatedSensitivity(correlation, { separation: 4, most: 3 });
      for (let first = 0; first < 12; first++) {
        for (const [gap, next] of [
          [4, 4],
          [4, 6],
          [7, 4],
          [5, 5],
        ] as const) {
          const pattern = [first, first + gap, first + gap + next];
          const touched = (t: number) => pattern.reduce((sum, i) => sum + (correlation.strategy[t - i] ?? 0), 0);
          const squares = Array.from({ length: 20 }, (_, t) => touched(t) ** 2).reduce((a, b) => a + b, 0);
          expect(Math.sqrt(squares)).toBeLessThanOrEqual(bound + 1e-12);
        }
      }
    }
  });

  it.each(golden.tree)("counts the nodes of a tree over $rounds rounds", (row) => {
    expect(treeHeight(row.rounds)).toBe(row.height);
    expect(treeRho(row.rounds, 1)).toBe(row.rho_one_participation_sigma_1);
    for (const [round, nodes] of Object.entries(row.nodes_in_prefix)) {
      if (Number(round) <= row.rounds) expect(treeNodesInPrefix(Number(round))).toBe(nodes);
    }
  });

  it.each(trees)("costs what dp-accounting says of a tree over $steps rounds", ({ steps, sigma, delta, eps_rdp }) => {
    expect(Math.abs(zcdpEpsilon(treeRho(steps, sigma), delta).epsilon / eps_rdp - 1)).toBeLessThan(1e-3);
  });
});
