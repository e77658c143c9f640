import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ClientTerms, noiseToSignal, planClients } from "./client-plan.ts";
import { noiseFor } from "./gaussian.ts";

const terms: ClientTerms = {
  clients: 100,
  perRound: 10,
  rounds: 50,
  epsilon: 8,
  delta: 1e-3,
  noiseMultiplier: 1,
  mechanism: "central",
  enough: 10,
  length: 540_672,
};

describe("the plan of a private run", () => {
  it("has the noise that the reference states for 20 and for 1,000 clients a round", () => {
    expect(noiseToSignal({ ...terms, perRound: 20 })).toBeCloseTo(37, 0);
    expect(noiseToSignal({ ...terms, perRound: 1000 })).toBeCloseTo(0.74, 2);
    // Each client's own noise: twice the sensitivity, and √m times as much on the mean.
    expect(noiseToSignal({ ...terms, mechanism: "local" }) / noiseToSignal(terms)).toBeCloseTo(2 * Math.sqrt(10), 12);
    // Parts of the noise: as central where just enough clients are there, and more where more are.
    const distributed = { ...terms, mechanism: "distributed" } as const;
    expect(noiseToSignal(distributed)).toBeCloseTo(noiseToSignal(terms), 12);
    expect(noiseToSignal({ ...distributed, perRound: 40 })).toBeCloseTo(
      2 * noiseToSignal({ ...terms, perRound: 40 }),
      12,
    );
  });

  it("sets the draws side by side: golden figures for secret coins", () => {
    const { draws, participations } = planClients(terms);
    expect(participations).toBe(5);
    expect(draws.secretRenyi).toBeCloseTo(4.0173, 4);
    expect(draws.secretLoss).toBeCloseTo(3.3139, 4);
    expect(draws.publicDraw).toBeGreaterThan(draws.secretRenyi);
    expect(draws.everyRound).toBeGreaterThan(draws.publicDraw);
  });

  it("spends the budget in the last round, and no more", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 40 }),
        (rounds, clients, drawn) => {
          const perRound = Math.min(clients, drawn);
          const delta = 1 / (10 * clients);
          const participations = Math.ceil((rounds * perRound) / clients);
          const noiseMultiplier = noiseFor(4, delta, participations);
          const plan = planClients({ ...terms, clients, perRound, rounds, epsilon: 4, delta, noiseMultiplier });
          expect(plan.participations).toBe(participations);
          const last = plan.course.at(-1)!;
          expect(last.round).toBe(rounds);
          expect(last.epsilon).toBeLessThanOrEqual(4);
          expect(last.epsilon).toBeGreaterThan(3.999);
          const epsilons = plan.course.map(({ epsilon }) => epsilon);
          expect(epsilons).toEqual([...epsilons].sort((a, b) => a - b));
        },
      ),
      { numRuns: 5 },
    );
  });

  it.each(["central", "local", "distributed"] as const)("breaks even where it says: %s", (mechanism) => {
    const own = { ...terms, mechanism };
    const { breakEven } = planClients({ ...own, rounds: 1 });
    expect(noiseToSignal({ ...own, perRound: breakEven.perRound })).toBeLessThanOrEqual(1);
    expect(noiseToSignal({ ...own, perRound: breakEven.perRound - 1 })).toBeGreaterThan(1);
    expect(noiseToSignal({ ...own, length: breakEven.length })).toBeLessThanOrEqual(1);
    expect(noiseToSignal({ ...own, length: breakEven.length + 1 })).toBeGreaterThan(1);
  });
});
