import { describe, expect, it } from "vitest";
import { plannedTraining } from "./planned-training.ts";

/** A prepared run, as far as the plan reads it: numbers of records by client. */
function prepared(
  records: readonly number[],
  { federation = {}, training = {}, pooled = false }: { federation?: object; training?: object; pooled?: boolean } = {},
): Parameters<typeof plannedTraining>[0] {
  const clients = records.map((count, i) => ({ name: `c${i}`, train: Array.from({ length: count }) }));
  const all = { name: "everyone", train: clients.flatMap(({ train }) => train) };
  return {
    config: {
      federation: { rounds: 6, ...federation },
      training: { batchSize: 4, gradientAccumulation: 2, ...training },
    },
    clients,
    trainers: pooled ? [all] : clients,
  } as never;
}

describe("the planned training of a client", () => {
  it("counts passes over its records", () => {
    const [few, many] = plannedTraining(prepared([16, 480], { training: { localSteps: 5 } }));
    // 6 rounds of 5 steps of 8 records.
    expect(few).toEqual({ name: "c0", records: 16, steps: 5, rounds: 6, passes: 15 });
    expect(many!.passes).toBe(0.5);
  });

  it("takes the steps that passes need, and counts what a last step takes twice", () => {
    const [client] = plannedTraining(prepared([20], { training: { localEpochs: 1 } }));
    // 20 records by 8 are three steps of 24.
    expect(client).toMatchObject({ steps: 3, passes: (6 * 24) / 20 });
  });

  it("shares the rounds among the clients that are drawn", () => {
    const plan = plannedTraining(
      prepared([8, 8, 8], { federation: { clientsPerRound: 1 }, training: { localSteps: 1 } }),
    );
    expect(plan.map(({ rounds, passes }) => [rounds, passes])).toEqual([
      [2, 2],
      [2, 2],
      [2, 2],
    ]);
  });

  it("gives the one client of pooled records the steps of all", () => {
    const plan = plannedTraining(prepared([8, 24], { training: { localEpochs: 1 }, pooled: true }));
    expect(plan).toEqual([{ name: "everyone", records: 32, steps: 4, rounds: 6, passes: 6 }]);
  });

  it("leaves out who has no records", () => {
    expect(plannedTraining(prepared([0], { training: { localSteps: 1 } }))).toEqual([]);
  });
});
