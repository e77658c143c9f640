import { describe, expect, test } from "vitest";
import type { FileReader } from "../../data/file-reader.ts";
import type { DataRecord } from "../../data/record.ts";
import { loadClientRecords, loadCommonRecords, type ClientRecords } from "./client-records.ts";
import { parseExperiment } from "../../settings/parse.ts";

/** Files of so many records each. */
function filesOf(counts: Readonly<Record<string, number>>): FileReader {
  return {
    async read(path) {
      const rows = Array.from({ length: counts[path]! }, (_, i) => ({
        instruction: `${path} asks ${i}`,
        response: `${i}`,
        topic: `topic ${i % 3}`,
      }));
      return new TextEncoder().encode(rows.map((row) => JSON.stringify(row)).join("\n"));
    },
  };
}

const FILES = filesOf({
  "a.jsonl": 20,
  "b.jsonl": 30,
  "bank/data.jsonl": 2,
  "shop/data.jsonl": 3,
  "one.jsonl": 1,
  "test.jsonl": 4,
});

interface Settings {
  readonly data: object;
  readonly federation?: object;
  readonly seed?: number;
}
const configOf = (settings: Settings) => parseExperiment({ model: { base: "m" }, ...settings }, "test");
const load = async (settings: Settings): Promise<ClientRecords[]> => loadClientRecords(configOf(settings), FILES);
const common = async (settings: Settings): Promise<readonly DataRecord[]> =>
  (await loadCommonRecords(configOf(settings), FILES, await load(settings))).heldOut;
const ids = (records: readonly DataRecord[]): string[] => records.map(({ id }) => id);
const numbered = (file: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${file}#${i + 1}`);
const sorted = (list: readonly string[]): string[] => [...list].sort();

const OWN = {
  clients: [
    { name: "a", train: "a.jsonl" },
    { name: "b", train: "b.jsonl" },
  ],
};

describe("own files", () => {
  test("each client has its own, in the order of its files", async () => {
    const clients = [
      { name: "both", train: ["b.jsonl", "one.jsonl"] },
      { name: "other", train: "a.jsonl", heldOut: "test.jsonl" },
    ];
    const loaded = await load({ data: { clients } });
    expect(loaded.map(({ name, train, heldOut }) => ({ name, train: ids(train), heldOut: ids(heldOut) }))).toEqual([
      { name: "both", train: [...numbered("b.jsonl", 30), "one.jsonl#1"], heldOut: [] },
      { name: "other", train: numbered("a.jsonl", 20), heldOut: numbered("test.jsonl", 4) },
    ]);
  });

  test("two files of one base name in different folders: their records keep apart", async () => {
    const [client] = await load({
      data: { clients: [{ name: "a", train: ["bank/data.jsonl", "shop/data.jsonl"] }] },
    });
    expect(ids(client!.train)).toEqual([...numbered("bank/data.jsonl", 2), ...numbered("shop/data.jsonl", 3)]);
  });
});

describe("pooled files", () => {
  test("every record goes to one client, to train on or to hold out", async () => {
    const loaded = await load({
      data: { train: ["a.jsonl", "b.jsonl"], heldOutRecords: 3 },
      federation: { clients: 4 },
    });
    expect(loaded.map(({ name }) => name)).toEqual(["client-1", "client-2", "client-3", "client-4"]);
    // 50 records dealt in turn to 4 clients.
    expect(loaded.map(({ train, heldOut }) => [train.length, heldOut.length])).toEqual([
      [10, 3],
      [10, 3],
      [9, 3],
      [9, 3],
    ]);
    const all = loaded.flatMap(({ train, heldOut }) => [...ids(train), ...ids(heldOut)]);
    expect(sorted(all)).toEqual(sorted([...numbered("a.jsonl", 20), ...numbered("b.jsonl", 30)]));
  });

  test("the partition deals them: by a field, a client is called after its value and has only that", async () => {
    const loaded = await load({ data: { train: "a.jsonl", partition: { by: "field", field: "topic" } } });
    expect(loaded.map(({ name, train }) => [name, train.length])).toEqual([
      ["topic 0", 7],
      ["topic 1", 7],
      ["topic 2", 6],
    ]);
    for (const { name, train } of loaded)
      expect(new Set(train.map(({ fields }) => fields["topic"]))).toEqual(new Set([name]));
  });
});

describe("heldOutRecords", () => {
  test("parts a client's records in two, each in their order", async () => {
    const loaded = await load({ data: { ...OWN, heldOutRecords: 8 } });
    for (const [i, { train, heldOut }] of loaded.entries()) {
      const all = numbered(["a.jsonl", "b.jsonl"][i]!, [20, 30][i]!);
      expect(heldOut).toHaveLength(8);
      const kept = new Set(ids(heldOut));
      expect(ids(heldOut)).toEqual(all.filter((id) => kept.has(id)));
      expect(ids(train)).toEqual(all.filter((id) => !kept.has(id)));
    }
  });

  test("are drawn by the seed, and for each client apart", async () => {
    const heldOut = async (seed: number, data: object = OWN): Promise<string[][]> =>
      (await load({ data: { ...data, heldOutRecords: 8 }, seed })).map((client) => ids(client.heldOut));
    const first = await heldOut(1);
    expect(await heldOut(1)).toEqual(first);
    const second = await heldOut(2);
    expect(second[0]).not.toEqual(first[0]);
    expect(second[1]).not.toEqual(first[1]);
    const [called] = await heldOut(1, { clients: [{ name: "c", train: "a.jsonl" }] });
    expect(called).not.toEqual(first[0]);
    // Who else is there changes nothing.
    expect(await heldOut(1, { clients: OWN.clients.slice(0, 1) })).toEqual([first[0]]);
  });

  test("are not taken where a client has a heldOut file", async () => {
    const clients = [{ name: "a", train: "a.jsonl", heldOut: "test.jsonl" }];
    const [client] = await load({ data: { clients, heldOutRecords: 5 } });
    expect(ids(client!.heldOut)).toEqual(numbered("test.jsonl", 4));
    expect(client!.train).toHaveLength(20);
  });

  test("one record is enough to train on, none is refused", async () => {
    const data = { clients: [{ name: "bank", train: "a.jsonl" }] };
    const [client] = await load({ data: { ...data, heldOutRecords: 19 } });
    expect([client!.train.length, client!.heldOut.length]).toEqual([1, 19]);
    for (const heldOutRecords of [20, 21]) {
      await expect(load({ data: { ...data, heldOutRecords } })).rejects.toMatchObject({
        kind: "data",
        message: `client bank has 20 records, so data.heldOutRecords ${heldOutRecords} would leave it none to train on`,
      });
    }
  });
});

test("poolLimit takes records of the whole pool before they are dealt, by the seed", async () => {
  const pooled = (poolLimit: number, seed = 42) =>
    load({ data: { train: ["a.jsonl", "b.jsonl"], poolLimit }, federation: { clients: 3 }, seed });
  const dealt = async (...args: Parameters<typeof pooled>): Promise<string[]> =>
    sorted((await pooled(...args)).flatMap(({ train }) => ids(train)));
  expect((await pooled(12)).map(({ train }) => train.length)).toEqual([4, 4, 4]);
  expect(await dealt(12)).toEqual(await dealt(12));
  expect(await dealt(12, 43)).not.toEqual(await dealt(12));
  expect(await dealt(1000)).toHaveLength(50);
  await expect(load({ data: { ...OWN, poolLimit: 3 } })).rejects.toThrow("data.poolLimit limits pooled records");
});

describe("limit", () => {
  test("is drawn from what is left after holding out, by the seed", async () => {
    const [[whole], [limited], [again], [other]] = await Promise.all([
      load({ data: { ...OWN, heldOutRecords: 8 } }),
      load({ data: { ...OWN, heldOutRecords: 8, limit: 10 } }),
      load({ data: { ...OWN, heldOutRecords: 8, limit: 10 } }),
      load({ data: { ...OWN, limit: 10 }, seed: 43 }),
    ]);
    // Drawn first, 10 would leave 2.
    expect([limited!.train.length, limited!.heldOut.length]).toEqual([10, 8]);
    expect(ids(limited!.heldOut)).toEqual(ids(whole!.heldOut));
    const drawn = new Set(ids(limited!.train));
    expect(ids(whole!.train).filter((id) => drawn.has(id))).toEqual(ids(limited!.train));
    expect(ids(again!.train)).toEqual(ids(limited!.train));
    const [unseeded] = await load({ data: { ...OWN, limit: 10 } });
    expect(ids(other!.train)).not.toEqual(ids(unseeded!.train));
  });

  test("does not shorten what is evaluated, and one above the number of records changes nothing", async () => {
    const clients = [{ name: "a", train: "a.jsonl", heldOut: "test.jsonl" }];
    const [few] = await load({ data: { clients, limit: 2 } });
    expect([few!.train.length, few!.heldOut.length]).toEqual([2, 4]);
    const [all] = await load({ data: { clients, limit: 21 } });
    expect(ids(all!.train)).toEqual(numbered("a.jsonl", 20));
  });
});

describe("the common set", () => {
  const named = (name: string, heldOut?: string) => ({
    data: { clients: [{ name, train: "a.jsonl" }], ...(heldOut !== undefined && { heldOut }) },
  });

  test("is read from data.heldOut; without it there is none", async () => {
    expect(ids(await common(named("a", "test.jsonl")))).toEqual(numbered("test.jsonl", 4));
    expect(await common(named("a"))).toEqual([]);
  });

  test("takes its name from the clients, whether there is one or not", async () => {
    for (const settings of [named("common", "test.jsonl"), named("common")]) {
      await expect(load(settings)).rejects.toMatchObject({
        kind: "data",
        message: expect.stringContaining('a client is called "common"') as string,
      });
    }
  });
});

describe("a record that is held out is trained on by nobody", () => {
  test.each<[string, Settings, RegExp]>([
    [
      "a client's own heldOut file",
      { data: { clients: [{ name: "a", train: ["a.jsonl", "one.jsonl"], heldOut: "one.jsonl" }] } },
      /one\.jsonl.*\b1\b/,
    ],
    [
      "another client's heldOut file",
      {
        data: {
          clients: [
            { name: "a", train: "a.jsonl", heldOut: "one.jsonl" },
            { name: "b", train: ["b.jsonl", "one.jsonl"] },
          ],
        },
      },
      /one\.jsonl.*\b1\b/,
    ],
    [
      "the common set",
      { data: { clients: [{ name: "a", train: ["a.jsonl", "one.jsonl"] }], heldOut: "one.jsonl" } },
      /one\.jsonl.*\b1\b/,
    ],
    [
      "the common set, of pooled data",
      { data: { train: ["a.jsonl", "one.jsonl"], heldOut: ["test.jsonl", "one.jsonl"] }, federation: { clients: 2 } },
      /one\.jsonl.*\b1\b/,
    ],
    [
      "a file that two clients share, each holding out its own draw",
      {
        data: {
          clients: [
            { name: "a", train: "a.jsonl" },
            { name: "b", train: "a.jsonl" },
          ],
          heldOutRecords: 5,
        },
      },
      /a\.jsonl.*\b\d+\b/,
    ],
    [
      "a file that is listed twice",
      { data: { clients: [{ name: "a", train: ["a.jsonl", "a.jsonl"] }], heldOutRecords: 5 } },
      /a\.jsonl is listed twice/,
    ],
  ])("refused: %s", async (_name, settings, message) => {
    await expect(common(settings)).rejects.toMatchObject({
      kind: "data",
      message: expect.stringMatching(message) as string,
    });
  });

  test("trained on by two, or held out by two, is no leak; nor is one number in two files of one base name", async () => {
    const clients = [
      { name: "a", train: ["a.jsonl", "bank/data.jsonl"], heldOut: ["test.jsonl", "shop/data.jsonl"] },
      { name: "b", train: ["a.jsonl", "bank/data.jsonl"], heldOut: ["test.jsonl", "shop/data.jsonl"] },
    ];
    const loaded = await load({ data: { clients, heldOut: "test.jsonl" } });
    expect(loaded.map(({ train, heldOut }) => [train.length, heldOut.length])).toEqual([
      [22, 7],
      [22, 7],
    ]);
  });
});

describe("a validation part", () => {
  const data = { ...OWN, heldOutRecords: 8, heldOut: "test.jsonl" };
  const scored = async (evaluation: object, more: object = {}, seed = 1): Promise<string[][]> => {
    const config = parseExperiment({ model: { base: "m" }, data: { ...data, ...more }, evaluation, seed }, "test");
    const clients = await loadClientRecords(config, FILES);
    return [
      ...clients.map(({ heldOut }) => ids(heldOut)),
      ids((await loadCommonRecords(config, FILES, clients)).heldOut),
    ];
  };

  test("and the test part share each held-out set, and training is as without them", async () => {
    const [all, validation, kept] = await Promise.all([
      scored({}),
      scored({ validation: 0.25, part: "validation" }),
      scored({ validation: 0.25 }),
    ]);
    expect(validation.map((part) => part.length)).toEqual([2, 2, 1]);
    expect(validation.map((part, i) => sorted([...part, ...kept[i]!]))).toEqual(all.map(sorted));
    // A run that is scored on the test part has the other one to choose by.
    const config = parseExperiment({ model: { base: "m" }, data, evaluation: { validation: 0.25 }, seed: 1 }, "test");
    const clients = await loadClientRecords(config, FILES);
    const aside = [...clients, await loadCommonRecords(config, FILES, clients)];
    expect(aside.map((part) => ids(part.validation))).toEqual(validation);
    const training = async (evaluation: object): Promise<string[][]> => {
      const config = parseExperiment({ model: { base: "m" }, data, evaluation }, "test");
      return (await loadClientRecords(config, FILES)).map(({ train }) => ids(train));
    };
    expect(await training({ validation: 0.25 })).toEqual(await training({}));
  });

  test("is the same with every seed where the data has a seed of its own", async () => {
    const parts = { validation: 0.5, part: "validation" };
    expect(await scored(parts, { seed: 3 }, 1)).toEqual(await scored(parts, { seed: 3 }, 2));
    expect(await scored(parts, {}, 3)).toEqual(await scored(parts, { seed: 3 }, 1));
    expect(await scored(parts, {}, 1)).not.toEqual(await scored(parts, {}, 2));
  });

  test("has a record and leaves one, or is refused", async () => {
    for (const validation of [0.01, 0.99]) {
      expect((await scored({ validation })).map((part) => part.length)).toEqual(
        validation < 0.5 ? [7, 7, 3] : [1, 1, 1],
      );
    }
    await expect(scored({ validation: 0.5 }, { heldOutRecords: 1 })).rejects.toThrow(
      "the held-out set a has 1 record, too few for a validation part and a test part",
    );
    await expect(scored({ part: "validation" })).rejects.toThrow(
      "evaluation.part is validation, but the held-out sets have no parts",
    );
  });
});

describe("records that say the same", () => {
  const line = (instruction: string): string => JSON.stringify({ instruction, response: "It.", source: "web" });
  const texts: Readonly<Record<string, string>> = {
    "train.jsonl": [line("What is a loan?"), line("What is a PIN?"), line("what  is a pin?")].join("\n"),
    "check.jsonl": [line("What is a PIN? "), line("What is a fee?")].join("\n"),
    "copies.jsonl": line("WHAT IS A LOAN?"),
  };
  const files: FileReader = { read: async (path) => new TextEncoder().encode(texts[path]) };
  const loaded = async (heldOut: string, more: object = {}) => {
    const notes: string[] = [];
    const config = configOf({ data: { clients: [{ name: "a", train: "train.jsonl", heldOut }], ...more } });
    const [client] = await loadClientRecords(config, files, (note) => notes.push(note));
    return { ids: ids(client!.heldOut), notes };
  };

  test("are counted, as are columns that are not used", async () => {
    expect(await loaded("check.jsonl", { heldOutCopies: "keep" })).toEqual({
      ids: numbered("check.jsonl", 2),
      notes: [
        "columns that are not used: source (5 records)",
        "client a: 1 of 2 held-out records say what a training record says, and are kept (data.heldOutCopies)",
        "training records that repeat another of their client: 1",
      ],
    });
  });

  test("are left out of the held-out ones", async () => {
    const out = "say what a training record says, and are left out (data.heldOutCopies)";
    for (const settings of [{}, { heldOutCopies: "leave-out" }]) {
      const { ids: kept, notes } = await loaded("check.jsonl", settings);
      expect(kept).toEqual(["check.jsonl#2"]);
      expect(notes[1]).toBe(`client a: 1 of 2 held-out records ${out}`);
    }
    await expect(loaded("copies.jsonl")).rejects.toMatchObject({
      kind: "data",
      message: "client a: 1 of 1 held-out records say what a training record says, so that none is left",
      hint: expect.stringContaining("data.heldOutCopies: keep") as string,
    });
  });

  test("are left out of the common set, too, whoever trains on them", async () => {
    const notes: string[] = [];
    const common = async (heldOutCopies?: string): Promise<string[]> => {
      const clients = [
        { name: "b", train: "copies.jsonl" },
        { name: "a", train: "train.jsonl" },
      ];
      const config = configOf({ data: { clients, heldOut: "check.jsonl", heldOutCopies } });
      const own = await loadClientRecords(config, files);
      return ids((await loadCommonRecords(config, files, own, (note) => notes.push(note))).heldOut);
    };
    expect(await common()).toEqual(["check.jsonl#2"]);
    expect(notes).toContain(
      "data.heldOut: 1 of 2 held-out records say what a training record says, and are left out (data.heldOutCopies)",
    );
    expect(await common("keep")).toEqual(numbered("check.jsonl", 2));
  });
});
