import { describe, expect, test } from "vitest";
import type { DataRecord } from "../../data/record.ts";
import { canaryCounts, plantCanaries } from "./canaries.ts";
import type { ClientRecords } from "./client-records.ts";
import { parseExperiment } from "../../settings/parse.ts";

function client(name: string, count: number): ClientRecords {
  const records = (file: string, many: number): DataRecord[] =>
    Array.from({ length: many }, (_, i) => ({
      id: `${file}#${i + 1}`,
      source: { file, record: i + 1 },
      content: { kind: "instruction", instruction: `question ${i}`, response: `answer ${i}` },
      fields: {},
    }));
  return {
    name,
    train: records(`${name}.jsonl`, count),
    heldOut: records(`${name}.heldout.jsonl`, 5),
    validation: [],
  };
}

const CLIENTS = [client("clinic", 30), client("bank", 20)];

function configOf(canaries: object | undefined, others: object = {}) {
  const clients = CLIENTS.map(({ name }) => ({ name, train: `${name}.jsonl` }));
  return parseExperiment({ model: { base: "m" }, data: { clients, ...(canaries && { canaries }) }, ...others }, "test");
}

describe("planting canaries", () => {
  test("adds copies behind the records of the clients that are named, and nothing else", () => {
    const { clients, canaries } = plantCanaries(configOf({ clients: ["bank"], count: 3, repeats: [1, 5] }), CLIENTS);
    expect(clients[0]).toBe(CLIENTS[0]);
    expect(clients[1]!.heldOut).toBe(CLIENTS[1]!.heldOut);
    expect(clients[1]!.train.slice(0, 20)).toEqual(CLIENTS[1]!.train);
    const added = clients[1]!.train.slice(20).map(({ content }) => content);
    expect(added.map((content) => content.kind === "instruction" && content.instruction)).toEqual(
      canaries.flatMap(({ copies, question }) => Array<string>(copies).fill(question)),
    );
    expect(canaryCounts(canaries)).toEqual([{ client: "bank", canaries: 3, copies: 7 }]);
  });

  test("plants nothing where nothing is asked for, and leaves the configuration as it was", () => {
    const config = configOf(undefined);
    expect(plantCanaries(config, CLIENTS)).toEqual({ clients: CLIENTS, canaries: [] });
    // A key more would be another run.
    expect(JSON.stringify(config)).not.toContain("canaries");
  });

  test("other seeds and settings plant others", () => {
    const secretsOf = (settings: object, others?: object): string[] =>
      plantCanaries(configOf({ clients: ["bank"], count: 4, ...settings }, others), CLIENTS).canaries.map(
        ({ secret }) => secret,
      );
    expect(secretsOf({}, { seed: 7 })).not.toEqual(secretsOf({}));
    expect(secretsOf({ digits: 6 })[0]).toHaveLength(6);
  });

  test.each([
    [{ clients: ["bnak"] }, /data\.canaries\.clients\[0\] is "bnak"/, "Did you mean 'bank'?"],
    [{ clients: ["clinic", "zoo"] }, /data\.canaries\.clients\[1\] is "zoo"/, "The clients are clinic, bank."],
    [{ clients: ["bank", "bank"] }, /lists "bank" twice/, /Once is enough/],
    [
      { clients: ["bank"], count: 3, repeats: 7 },
      /bank has 20 records and would get 21 copies/,
      /Lower data\.canaries/,
    ],
  ])("refuses %j", (canaries, message, hint) => {
    const plant = () => plantCanaries(configOf(canaries), CLIENTS);
    expect(plant).toThrow(message);
    expect(plant).toThrow(expect.objectContaining({ kind: "config", hint: expect.stringMatching(hint) }));
  });

  test("are for answers, not for preferences", () => {
    expect(() => configOf({ clients: ["bank"] }, { objective: { name: "dpo" } })).toThrow(/objective\.name dpo/);
  });
});
