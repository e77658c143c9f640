import { describe, expect, test } from "vitest";
import type { LocalTask } from "../federation/local-trainer.ts";
import type { Params } from "../tensor/params.ts";
import type { Example } from "../data/example.ts";
import type { GradientEngine } from "../train/gradient-engine.ts";
import { localTrainer } from "./local-trainer.ts";
import { parseExperiment } from "../settings/parse.ts";

const examplesOf = (count: number): Example[] =>
  Array.from({ length: count }, (_, i) => ({
    id: String(i),
    tokens: Int32Array.of(0, i),
    supervised: Uint8Array.of(0, 1),
  }));
const adapter: Params = new Map([["w", { shape: [2], data: Float32Array.of(1, -1) }]]);
const bits = (of: Params): number[] => [...new Uint32Array((of.get("w")!.data as Float32Array).slice().buffer)];

interface Settings {
  readonly training?: object;
  readonly seed?: number;
  readonly records?: number;
  readonly client?: string;
  readonly round?: number;
  readonly earlierRounds?: number;
}

/** One client-round on an engine whose gradient depends on the records and whose only work is to write down. */
async function trained({ training, seed = 1, records = 10, ...task }: Settings) {
  const batches: string[][] = [];
  const draws: number[] = [];
  const engine: GradientEngine = {
    async step(params, examples, dropout) {
      batches.push(examples.map(({ id }) => id));
      draws.push(dropout(0, "mask").uint32());
      const [x, y] = params.get("w")!.data;
      const data = Float32Array.of(x! + Number(examples[0]!.id), y! - Number(examples.at(-1)!.id));
      const gradients = new Map([["w", { shape: [2], data }]]);
      return { loss: 1, count: examples.length, supervisedTokens: examples.length, metrics: {}, gradients };
    },
    dispose: async () => {},
  };
  const config = parseExperiment(
    { model: { base: "m" }, data: { clients: [{ name: "a", train: "f" }] }, training },
    "",
  );
  const announced: number[] = [];
  const reported: string[][] = [];
  const local: LocalTask = {
    round: 1,
    client: "a",
    adapter,
    learningRate: 0.01,
    localRule: {},
    earlierRounds: 0,
    sent: "",
    onStart: (steps) => announced.push(steps),
    onStep: (report) => reported.push([...report.records!]),
    ...task,
  };
  const trainer = localTrainer(
    async () => engine,
    { training: config.training, seed, fidelity: config.fidelity },
    () => examplesOf(records),
  );
  const result = await trainer.train(local);
  expect(reported).toEqual(batches);
  return { batches, draws, announced, result };
}

const byNumber = (ids: readonly string[]): number[] => ids.map(Number).sort((a, b) => a - b);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe("how many steps", () => {
  test("localSteps, whatever the client has", async () => {
    for (const records of [3, 50]) {
      const { batches, announced, result } = await trained({ training: { batchSize: 4, localSteps: 7 }, records });
      expect(announced).toEqual([7]);
      expect(batches.map(({ length }) => length)).toEqual([4, 4, 4, 4, 4, 4, 4]);
      expect(result).toMatchObject({ steps: 7, examples: 28, supervisedTokens: 28 });
    }
  });

  test.each([
    { localEpochs: 1, records: 12, steps: 3 },
    { localEpochs: 1, records: 10, steps: 3 },
    { localEpochs: 2.5, records: 10, steps: 7 },
    { localEpochs: 0.5, records: 16, steps: 2 },
    { localEpochs: 0.01, records: 10, steps: 1 },
    // 0.56 · 50 / 4 is 7.000000000000001 in binary.
    { localEpochs: 0.56, records: 50, steps: 7 },
  ])("localEpochs $localEpochs of $records records, 4 a step: $steps", async ({ localEpochs, records, steps }) => {
    const { batches, announced } = await trained({ training: { batchSize: 4, localEpochs, localSteps: 99 }, records });
    expect(announced).toEqual([steps]);
    expect(batches).toHaveLength(steps);
  });

  test("localEpochs counts what accumulates as one step", async () => {
    const training = { batchSize: 4, gradientAccumulation: 3, localEpochs: 2 };
    const { batches } = await trained({ training, records: 24 });
    expect(batches.map(({ length }) => length)).toEqual([12, 12, 12, 12]);
    expect(byNumber(batches.slice(0, 2).flat())).toEqual(upTo(24));
  });
});

test("gradientAccumulation 2 of batches of 2 is a batch of 4: same records, same masks, same adapter bit for bit", async () => {
  const [accumulated, whole] = await Promise.all([
    trained({ training: { batchSize: 2, gradientAccumulation: 2, localSteps: 5 }, earlierRounds: 3 }),
    trained({ training: { batchSize: 4, localSteps: 5 }, earlierRounds: 3 }),
  ]);
  expect(accumulated.batches).toEqual(whole.batches);
  expect(accumulated.draws).toEqual(whole.draws);
  expect(bits(accumulated.result.after)).toEqual(bits(whole.result.after));
  expect(bits(whole.result.after)).not.toEqual(bits(adapter));
});

describe("the order of records", () => {
  test("goes on where the client's last round left off, over the end of an epoch", async () => {
    const training = { batchSize: 3, localSteps: 2 };
    const rounds = await Promise.all(
      upTo(5).map((earlierRounds) => trained({ training, earlierRounds, round: 1 + 2 * earlierRounds })),
    );
    const inRounds = rounds.flatMap(({ batches }) => batches);
    const { batches: atOnce } = await trained({ training: { batchSize: 3, localSteps: 10 } });
    expect(inRounds).toEqual(atOnce);
    // 30 records in all: three epochs of 10, each whole and in an order of its own.
    const epochs = upTo(3).map((i) => inRounds.flat().slice(10 * i, 10 * (i + 1)));
    for (const epoch of epochs) expect(byNumber(epoch)).toEqual(upTo(10));
    expect(new Set(epochs.map((epoch) => epoch.join())).size).toBe(3);
  });

  test("localEpochs: each round is the next epoch", async () => {
    const training = { batchSize: 5, localEpochs: 1 };
    const first = (await trained({ training })).batches.flat();
    const second = (await trained({ training, round: 2, earlierRounds: 1 })).batches.flat();
    expect(byNumber(first)).toEqual(upTo(10));
    expect(byNumber(second)).toEqual(upTo(10));
    expect(second).not.toEqual(first);
  });

  test("is the client's and the seed's own, and the round's number does not enter it", async () => {
    const order = async (settings: Settings): Promise<string> =>
      (await trained({ training: { batchSize: 10, localSteps: 1 }, ...settings })).batches.flat().join();
    const orders = await Promise.all([order({}), order({ client: "b" }), order({ seed: 2 })]);
    expect(new Set(orders).size).toBe(3);
    expect(await order({ round: 9 })).toBe(orders[0]);
  });
});

test("dropout streams: no two of clients, rounds, steps and seeds share one, and the same task draws the same", async () => {
  const training = { localSteps: 4 };
  const draws = async (settings: Settings): Promise<number[]> => (await trained({ training, ...settings })).draws;
  const all = await Promise.all([
    ...["a", "b", "a/1"].flatMap((client) => [1, 2, 11].map((round) => draws({ client, round }))),
    draws({ seed: 2 }),
  ]);
  expect(new Set(all.flat()).size).toBe(10 * 4);
  expect(await draws({})).toEqual(all[0]);
});
