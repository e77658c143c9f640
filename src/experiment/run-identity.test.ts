import { describe, expect, test } from "vitest";
import type { Example } from "../data/example.ts";
import { algorithmOf } from "../algorithms/registry.ts";
import { usePlugin } from "../plugins/plugin.ts";
import { parseExperiment } from "../settings/parse.ts";
import type { RunStore } from "./ports.ts";
import type { Prepared } from "./prepare.ts";
import { bindRun, trainerFingerprints } from "./run-identity.ts";

/** As a run folder keeps documents: through JSON. */
function memoryStore(documents = new Map<string, string>()): RunStore {
  const store: Pick<RunStore, "saveJson" | "readJson"> = {
    async saveJson(name, value) {
      documents.set(name, JSON.stringify(value));
    },
    async readJson(name) {
      const text = documents.get(name);
      return text === undefined ? undefined : (JSON.parse(text) as unknown);
    },
  };
  return store as RunStore;
}

const example = (id: string, tokens = [1, 2, 3], supervised = [0, 1, 1]): Example => ({
  id,
  tokens: Int32Array.from(tokens),
  supervised: Uint8Array.from(supervised),
});

const CLIENTS = [
  { name: "a", train: [example("a#1"), example("a#2")], heldOut: [example("a#3")] },
  { name: "b", train: [example("b#1")], heldOut: [] as Example[] },
];
const MODEL = { weights: { fingerprint: "w1" }, modelConfig: { hiddenSize: 32, normEpsilon: 1e-5 } };

const SETTINGS = {
  model: { base: "m" },
  data: { train: "f.jsonl", partition: { by: "field", field: "topic" }, fields: { instruction: "q", response: "a" } },
  federation: { rounds: 3 },
};

interface Parts {
  readonly settings?: object;
  readonly clients?: typeof CLIENTS;
  readonly common?: readonly Example[];
  readonly model?: typeof MODEL;
  readonly threads?: number;
  readonly players?: "parties";
}

/** As much of a prepared experiment as its identity is made of. */
function prepared({ settings, clients = CLIENTS, common = [], model = MODEL }: Parts): Prepared {
  const config = parseExperiment({ ...SETTINGS, ...settings }, "test");
  const heldOut = (items: readonly Example[]): object => ({ items, pairs: [], choices: [] });
  const parts: object = {
    config,
    trainers: clients.map((client) => ({ clients: [{ ...client, heldOut: heldOut(client.heldOut) }] })),
    clients: clients.map(({ name }) => ({ name, validation: heldOut([]) })),
    common: heldOut(common),
    commonValidation: heldOut([]),
    root: [],
    model,
  };
  return parts as Prepared;
}

async function bind(parts: Parts, store: RunStore = memoryStore()): Promise<string> {
  const run = prepared(parts);
  return bindRun(run, store, parts.threads ?? 2, await trainerFingerprints(run), parts.players ?? "one process");
}

/** The identities of a run and of what comes to its folder next. */
async function bindTwice(next: Parts): Promise<[string, string]> {
  const store = memoryStore();
  return [await bind({}, store), await bind(next, store)];
}

describe("goes on", () => {
  test("the same run, with the identity it had", async () => {
    const [first, second] = await bindTwice({});
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    expect(second).toBe(first);
    expect(await bind({})).toBe(first);
  });

  test.each<[string, Parts]>([
    ["with the threads it had anyway written out", { settings: { runtime: { threads: 2 } } }],
    ["keeping other adapters", { settings: { output: { saveEvery: 1 } } }],
    ["with curves for TensorBoard", { settings: { output: { tensorboard: true } } }],
    ["keeping the best round", { settings: { evaluation: { best: { metric: "loss", over: "clients" } } } }],
    ["with defaults written out", { settings: { seed: 42, training: { batchSize: 16 } } }],
    [
      "with its sections in another order",
      { settings: { data: Object.fromEntries(Object.entries(SETTINGS.data).reverse()) } },
    ],
    [
      "with data.fields in another order",
      { settings: { data: { ...SETTINGS.data, fields: { response: "a", instruction: "q" } } } },
    ],
  ])("%s", async (_name, next) => {
    const [first, second] = await bindTwice(next);
    expect(second).toBe(first);
  });
});

describe("a run may be lengthened", () => {
  const long = (rounds: number): Parts => ({ settings: { federation: { rounds } } });

  test("and keeps the identity that it had, while its folder says what it was to have", async () => {
    const documents = new Map<string, string>();
    const store = memoryStore(documents);
    const first = await bind(long(3), store);
    expect(JSON.parse(documents.get("config.json")!).lengths).toBeUndefined();
    for (const rounds of [5, 5, 9]) expect(await bind(long(rounds), store)).toBe(first);
    const { config, lengths } = JSON.parse(documents.get("config.json")!);
    expect([config.federation.rounds, lengths]).toEqual([9, [3, 5]]);
    await expect(bind(long(8), store)).rejects.toMatchObject({
      message: expect.stringMatching(/federation\.rounds was 9, is 8$/) as string,
    });
    expect(await bind(long(9))).not.toBe(first);
  });

  test("but not with another setting, and not where several parties agreed to its rounds", async () => {
    const other: Parts = { settings: { federation: { rounds: 5 }, seed: 7 } };
    await expect(bindTwice(other)).rejects.toMatchObject({
      message: expect.stringMatching(/: seed was 42, is 7$/) as string,
    });
    await expect(bindTwice({ ...long(5), players: "parties" })).rejects.toMatchObject({
      message: expect.stringMatching(/federation\.rounds was 3, is 5: the parties of this run agreed/) as string,
      hint: expect.stringContaining("model.adapter") as string,
    });
  });
});

describe("when to stop early may change", () => {
  const patient = (patience: number): Parts => ({
    settings: { evaluation: { every: 1, earlyStopping: { patience } } },
  });

  test("and the folder says what was asked for last", async () => {
    const documents = new Map<string, string>();
    const store = memoryStore(documents);
    const first = await bind(patient(2), store);
    expect(await bind(patient(5), store)).toBe(first);
    const { config } = JSON.parse(documents.get("config.json")!);
    expect(config.evaluation.earlyStopping).toEqual({ patience: 5, minDelta: 0 });
  });

  test("and a folder from before there was such a setting goes on", async () => {
    const documents = new Map<string, string>();
    const store = memoryStore(documents);
    const first = await bind({}, store);
    const stored = JSON.parse(documents.get("config.json")!);
    delete stored.config.evaluation.best;
    delete stored.config.evaluation.earlyStopping;
    delete stored.config.output.tensorboard;
    documents.set("config.json", JSON.stringify(stored));
    expect(await bind({}, store)).toBe(first);
  });
});

describe("is refused", () => {
  const [a, b] = CLIENTS as [(typeof CLIENTS)[0], (typeof CLIENTS)[0]];

  test.each<[string, Parts, RegExp]>([
    ["fewer rounds", { settings: { federation: { rounds: 2 } } }, /: federation\.rounds was 3, is 2$/],
    ["another setting", { settings: { federation: { clients: 4 } } }, /: federation\.clients was not set, is 4$/],
    [
      "a setting that was not there",
      { settings: { evaluation: { limit: 5 } } },
      /: evaluation\.limit was not set, is 5$/,
    ],
    ["another seed", { settings: { seed: 7 } }, /: seed was 42, is 7$/],
    [
      "an entry more in a list",
      { settings: { adapter: { targets: ["q_proj", "v_proj", "o_proj"] } } },
      /: adapter\.targets\.2 was not set, is "o_proj"$/,
    ],
    [
      "more than three settings: three are named",
      { settings: { adapter: { rank: 4, alpha: 4, dropout: 0.5, rsLora: true } } },
      /: adapter\.rank was 8, is 4; adapter\.alpha was 16, is 4; adapter\.dropout was 0, is 0\.5; …$/,
    ],
    ["other tokens", { clients: [{ ...a, train: [example("a#1", [1, 2, 4]), example("a#2")] }, b] }, /the data/],
    [
      "another mask",
      { clients: [{ ...a, train: [example("a#1", [1, 2, 3], [0, 0, 1]), example("a#2")] }, b] },
      /the data/,
    ],
    [
      "another record of the same tokens",
      { clients: [{ ...a, train: [example("a#1"), example("a#4")] }, b] },
      /the data/,
    ],
    ["records in another order", { clients: [{ ...a, train: a.train.toReversed() }, b] }, /the data/],
    [
      "a record held out instead",
      { clients: [{ ...a, train: a.train.slice(0, 1), heldOut: [...a.train.slice(1), ...a.heldOut] }, b] },
      /the data/,
    ],
    [
      "a record of another client",
      {
        clients: [
          { ...a, train: a.train.slice(0, 1) },
          { ...b, train: [...a.train.slice(1), ...b.train] },
        ],
      },
      /the data/,
    ],
    ["another common set", { common: [example("c#1")] }, /the data/],
    // The value that names a client of `partition: { by: field }` is in the records, not in the settings.
    ["a client of another name with the same data", { clients: [a, { ...b, name: "c" }] }, /the data|client/],
    ["other weights", { model: { ...MODEL, weights: { fingerprint: "w2" } } }, /the base model/],
    [
      "the weights with another config.json",
      { model: { ...MODEL, modelConfig: { ...MODEL.modelConfig, normEpsilon: 1e-6 } } },
      /the base model/,
    ],
  ])("%s", async (_name, next, message) => {
    await expect(bindTwice(next)).rejects.toMatchObject({
      kind: "config",
      message: expect.stringMatching(message) as string,
      hint: expect.stringContaining("--out") as string,
    });
    // Not only in words: in a folder of its own it has an identity of its own.
    expect(await bind(next)).not.toBe(await bind({}));
  });

  test("another number of threads, which may round differently", async () => {
    await expect(bindTwice({ threads: 3 })).rejects.toMatchObject({
      kind: "config",
      message: expect.stringMatching(/begun with 2 threads, and this is 3/) as string,
      hint: expect.stringContaining("--threads 2") as string,
    });
  });

  test("and the folder still goes on with what it holds", async () => {
    const store = memoryStore();
    const identity = await bind({}, store);
    await expect(bind({ settings: { seed: 7 } }, store)).rejects.toMatchObject({ kind: "config" });
    expect(await bind({}, store)).toBe(identity);
  });

  test.each(["null", "[]", '"text"', "{}", '{"config":null}'])(
    "a config.json that holds %s, as damaged",
    async (text) => {
      await expect(bind({}, memoryStore(new Map([["config.json", text]])))).rejects.toMatchObject({
        kind: "storage",
        message: expect.stringContaining("config.json of the run folder is damaged") as string,
      });
    },
  );
});

describe("a file of one's own", () => {
  const use = (name: string, sha256: string): void => {
    const own = { settings: {}, make: () => ({ ...algorithmOf("fedavg"), name }) };
    usePlugin({ algorithms: { [name]: own } }, { file: `${name}.mjs`, sha256 });
  };

  test("is part of the identity of the runs that use it, and of no other's", async () => {
    const before = await bind({});
    use("own", "a1");
    expect(await bind({})).toBe(before);
    const documents = new Map<string, string>();
    const settings = { federation: { rounds: 3, algorithm: "own" } };
    const store = memoryStore(documents);
    const identity = await bind({ settings }, store);
    expect(JSON.parse(documents.get("config.json")!).plugins).toEqual([{ file: "own.mjs", sha256: "a1" }]);
    expect(await bind({ settings }, store)).toBe(identity);
    const other = JSON.parse(documents.get("config.json")!) as { plugins: { sha256: string }[] };
    other.plugins[0]!.sha256 = "b2";
    documents.set("config.json", JSON.stringify(other));
    await expect(bind({ settings }, store)).rejects.toThrow("the plugin was own.mjs b2…, is own.mjs a1…");
  });
});
