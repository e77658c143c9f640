import { readFileSync } from "node:fs";
import path from "node:path";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clientsOfRound } from "./client-sampling.ts";

const sampling = fc.record({
  seed: fc.integer(),
  population: fc.integer({ min: 1, max: 50 }),
  perRound: fc.integer({ min: 1, max: 60 }),
});

describe("the clients of a round", () => {
  it("are distinct, ascending, inside the population, and as many as asked for", () => {
    fc.assert(
      fc.property(sampling, fc.integer({ min: 1, max: 1000 }), (s, round) => {
        const clients = clientsOfRound(s, round);
        expect(clients).toEqual([...new Set(clients)].sort((a, b) => a - b));
        expect(clients).toHaveLength(Math.min(s.perRound, s.population));
        for (const client of clients) expect(client).toBeLessThan(s.population);
        expect(clientsOfRound(s, round)).toEqual(clients);
      }),
    );
  });

  it("change with the round and with the seed", () => {
    const [one, two] = [1, 2].map((seed) =>
      Array.from({ length: 10 }, (_, r) => clientsOfRound({ seed, population: 20, perRound: 2 }, r + 1).join()),
    );
    expect(one).not.toEqual(two);
    expect(new Set(one).size).toBeGreaterThan(1);
  });

  it("come up about equally often", () => {
    const counts = Array.from({ length: 10 }, () => 0);
    for (let round = 1; round <= 1000; round++) {
      for (const client of clientsOfRound({ seed: 7, population: 10, perRound: 3 }, round)) counts[client]! += 1;
    }
    expect(counts.reduce((a, b) => a + b)).toBe(3000);
    // 300 ± 5 standard deviations of a binomial(1000, 0.3).
    for (const count of counts) expect(Math.abs(count - 300)).toBeLessThan(73);
  });
});

it("fidelity original draws the clients OpenFedLLM draws, whatever the seed", () => {
  const golden = JSON.parse(
    readFileSync(path.join(import.meta.dirname, "../../test/golden/openfedllm-server-rules.json"), "utf8"),
  ) as { get_clients_this_round_20_2: number[][] };
  for (const seed of [1, 2023]) {
    const sampling = { seed, population: 20, perRound: 2, fidelity: "original" as const };
    golden.get_clients_this_round_20_2.forEach((clients, i) =>
      expect(clientsOfRound(sampling, i + 1)).toEqual(clients),
    );
  }
  expect(clientsOfRound({ seed: 1, population: 3, perRound: 9, fidelity: "original" }, 4)).toEqual([0, 1, 2]);
});
