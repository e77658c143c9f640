import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { FACTOR_RULES, type FactorRuleName } from "../src/algorithms/factors/registry.ts";
import { ALGORITHMS, type AlgorithmName } from "../src/algorithms/registry.ts";
import { decodeGroups } from "../src/store/codec.ts";
import { filterParams, globalNorm, type Params, subtract } from "../src/tensor/params.ts";
import { decodeSafetensors } from "../src/tensor/safetensors.ts";
import { adapterHash, runIn } from "./support/experiment.ts";
import { writeTinyData, writeTinyModel } from "./support/tiny-model.ts";

const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-algorithms-"));
process.env["OPENFEDLLM_CACHE"] = path.join(folder, "cache");

const CLIENTS = ["apples", "bolts", "candles"];

beforeAll(() => {
  writeTinyModel(path.join(folder, "model"));
  for (const name of CLIENTS) {
    writeTinyData(path.join(folder, `${name}.jsonl`), name, 12);
    writeTinyData(path.join(folder, `${name}.heldout.jsonl`), `${name} spare`, 4);
  }
  writeTinyData(path.join(folder, "common.jsonl"), "lamps", 4);
});

interface Changes {
  readonly clients?: readonly string[];
  readonly federation?: object;
  readonly [section: string]: unknown;
}

function config({ clients = CLIENTS, federation, ...changes }: Changes): object {
  return {
    model: { base: "model" },
    adapter: { rank: 4, alpha: 8, targets: "all-linear" },
    data: {
      maxLength: 96,
      heldOut: "common.jsonl",
      clients: clients.map((name) => ({ name, train: `${name}.jsonl`, heldOut: `${name}.heldout.jsonl` })),
    },
    training: { batchSize: 4, localSteps: 3, learningRate: 1e-2 },
    federation: { rounds: 2, ...federation },
    ...changes,
  };
}

const savedAdapter = (...folders: string[]): Params =>
  decodeSafetensors(readFileSync(path.join(...folders, "adapter_model.safetensors")), "adapter");

const run = (changes: Changes) => runIn(folder, config(changes));

describe("on a model", () => {
  test.each(Object.keys(FACTOR_RULES) as FactorRuleName[])(
    "fedavg, scaffold and fedadam with factors %s lower the held-out loss of every set",
    async (factors) => {
      const server = { learningRate: 2e-2, tau: 1e-3 };
      for (const federation of [{}, { algorithm: "scaffold" }, { algorithm: "fedadam", server }]) {
        const { summary, folder: ran } = await run({
          federation: { rounds: 4, factors, ...federation },
          output: { saveEvery: 1 },
        });
        expect(summary.heldOut.length).toBeGreaterThan(0);
        for (const { before, after } of summary.heldOut) expect(after).toBeLessThan(before);
        if (factors === "fedsa") continue;
        const [first, second] = [0, 1].map((round) => savedAdapter(ran, "adapters", `round-000${round}`));
        const moved = (factor: string): number => {
          const part = (of: Params): Params => filterParams(of, (name) => name.includes(factor));
          return globalNorm(subtract(part(second!), part(first!)));
        };
        expect(moved("lora_A")).toBe(0);
        expect(moved("lora_B")).toBeGreaterThan(0);
      }
    },
  );

  test.each(Object.keys(ALGORITHMS) as AlgorithmName[])(
    "%s lowers the held-out loss of every set",
    async (algorithm) => {
      for (const fidelity of ["paper", "original"]) {
        const { summary, events } = await run({ federation: { algorithm, rounds: 3 }, fidelity });
        expect(summary.heldOut.map(({ set }) => set)).toEqual([...CLIENTS, "common"]);
        for (const { before, after } of summary.heldOut) expect(after).toBeLessThan(before);
        expect(events.filter(({ type }) => type === "client-refused")).toEqual([]);
      }
    },
  );

  test("fedprox with μ = 0 is fedavg, bit for bit; with μ above 0 it is not", async () => {
    const fedavg = (await run({})).summary.adapter;
    expect((await run({ federation: { algorithm: "fedprox", proxMu: 0 } })).summary.adapter).toBe(fedavg);
    expect((await run({ federation: { algorithm: "fedprox", proxMu: 1 } })).summary.adapter).not.toBe(fedavg);
  });

  test("scaffold's first round is fedavg's, bit for bit; its second is not", async () => {
    for (const fidelity of ["paper", "original"]) {
      const hashes = async (rounds: number): Promise<string[]> =>
        Promise.all(
          ["fedavg", "scaffold"].map(
            async (algorithm) => (await run({ federation: { algorithm, rounds }, fidelity })).summary.adapter,
          ),
        );
      const [first, second] = [await hashes(1), await hashes(2)];
      expect(first[1]).toBe(first[0]);
      expect(second[1]).not.toBe(second[0]);
    }
  });

  test("a client alone is local training, bit for bit", async () => {
    const alone = await run({ clients: ["bolts"] });
    const local = await run({ federation: { algorithm: "local" } });
    expect(local.summary.clientAdapters).toEqual(
      Object.fromEntries(CLIENTS.map((name) => [name, `client-adapters/${name}`])),
    );
    expect(adapterHash(local.folder, "client-adapters", "bolts")).toBe(alone.summary.adapter);
    expect(new Set(CLIENTS.map((name) => adapterHash(local.folder, "client-adapters", name))).size).toBe(3);
  });

  test("local sends nothing, has no common adapter, and scores each client's own", async () => {
    const {
      folder: place,
      events,
      summary,
    } = await run({
      federation: { algorithm: "local" },
      evaluation: { crossClients: true, prompts: ["What is bolts item 1?"] },
    });
    expect(existsSync(path.join(place, "adapter"))).toBe(false);
    expect(summary.answers).toEqual([]);
    const updates = events.filter((event) => event.type === "client-update");
    expect(updates).toHaveLength(6);
    for (const { bytesUp, bytesDown } of updates) expect([bytesUp, bytesDown]).toEqual([0, 0]);
    const { rounds } = JSON.parse(readFileSync(path.join(place, "metrics.json"), "utf8"));
    expect(Object.keys(rounds[0].heldOut)).toEqual([...CLIENTS, "common"]);
    expect(rounds[0]).not.toHaveProperty("personal");
    expect(rounds[2].heldOut).toEqual({});
    for (const client of CLIENTS) expect(Object.keys(rounds[2].personal[client])).toEqual([...CLIENTS, "common"]);
    // The summary's common set is the mean over the clients' adapters.
    const losses = CLIENTS.map((client) => rounds[2].personal[client].common.loss as number);
    const common = summary.heldOut.find(({ set }) => set === "common")!;
    expect(common.after).toBeCloseTo(losses.reduce((sum, loss) => sum + loss, 0) / 3, 12);
  });

  test("centralized trains one client on all records, with the steps of a whole round", async () => {
    const { events, summary } = await run({ federation: { algorithm: "centralized" } });
    expect(events.find(({ type }) => type === "run-start")).toMatchObject({
      clients: [{ name: "everyone", records: 36, heldOut: 12 }],
    });
    const steps = events.filter((event) => event.type === "client-step");
    expect(steps).toHaveLength(2 * 3 * 3);
    // 12 of 36 records a round, twice, by 4: whatever is taken from all of them is what one client would take.
    const { events: byEpochs } = await run({
      federation: { algorithm: "centralized", clientsPerRound: 1, minClients: 1 },
      training: { batchSize: 4, localEpochs: 1, learningRate: 1e-2 },
    });
    expect(byEpochs.filter(({ type }) => type === "client-step")).toHaveLength(2 * 3);
    // A round has one client; what the federation asks of its rounds is not asked of it.
    await run({ federation: { algorithm: "centralized", minClients: 3 } });
    const files = new Set(steps.flatMap(({ records }) => records!.map((id) => id.split("#")[0])));
    expect(files).toEqual(new Set(CLIENTS.map((name) => `${name}/${name}.jsonl`)));
    expect(summary.heldOut.map(({ set }) => set)).toEqual([...CLIENTS, "common"]);
  });

  test("with a stage the change travels, in a group of its own; without one the adapter", async () => {
    const groupsOf = async (federation: object): Promise<unknown> => {
      const { folder: place, events } = await run({ federation: { rounds: 1, ...federation } });
      return events
        .filter((event) => event.type === "client-update")
        .map(({ update }) => {
          const bytes = readFileSync(path.join(place, "exchange", "blobs", update.slice(0, 2), update));
          return Object.keys(decodeGroups(bytes, "the update"));
        });
    };
    const stages = [{ name: "clip", maxNorm: 1 }];
    expect(await groupsOf({})).toEqual(CLIENTS.map(() => ["adapter"]));
    expect(await groupsOf({ stages })).toEqual(CLIENTS.map(() => ["delta"]));
    const scaffold = (await groupsOf({ algorithm: "scaffold", stages })) as string[][];
    expect(scaffold.map((groups) => groups.toSorted())).toEqual(CLIENTS.map(() => ["control", "delta"]));
  });

  test("clipped changes move the adapter by maxNorm at most; a clip that no change reaches is as good as none", async () => {
    const stages = (maxNorm: number): object => ({ stages: [{ name: "clip", maxNorm }] });
    const adapterOf = async (federation: object): Promise<Params> => {
      const { folder: place } = await run({ federation });
      return decodeSafetensors(readFileSync(path.join(place, "adapter", "adapter_model.safetensors")), "adapter");
    };
    const plain = await adapterOf({ rounds: 1 });
    const start = await adapterOf({ rounds: 1, ...stages(1e-9) });
    const moved = globalNorm(subtract(plain, start));
    expect(moved).toBeGreaterThan(0.1);
    expect(globalNorm(subtract(await adapterOf({ rounds: 1, ...stages(moved / 4) }), start))).toBeLessThan(moved / 3.9);
    expect(globalNorm(subtract(await adapterOf({ rounds: 1, ...stages(100) }), plain))).toBeLessThan(1e-6 * moved);
  });

  test("stages change nothing where nothing is sent", async () => {
    const clipped = { stages: [{ name: "clip", maxNorm: 1e-3 }] };
    for (const algorithm of ["local", "centralized"]) {
      const [with_, without] = [
        await run({ federation: { algorithm, rounds: 1, ...clipped } }),
        await run({ federation: { algorithm, rounds: 1 } }),
      ];
      const place = algorithm === "local" ? ["client-adapters", "bolts"] : ["adapter"];
      expect(adapterHash(with_.folder, ...place)).toBe(adapterHash(without.folder, ...place));
    }
  });

  test("the median of one client is its adapter, bit for bit; of three it is not the mean", async () => {
    const hash = async (aggregator: string, clients?: readonly string[]): Promise<string> =>
      (await run({ ...(clients && { clients }), federation: { aggregator } })).summary.adapter;
    expect(await hash("median", ["bolts"])).toBe(await hash("mean", ["bolts"]));
    expect(await hash("median")).not.toBe(await hash("mean"));
  });

  test("held-out records whose answers are labels are classified by likelihood", async () => {
    const labels = ["It is number 36 of the bolts spare.", "It is number 11 of the bolts spare."];
    const { summary } = await run({ evaluation: { labels } });
    const bolts = summary.heldOut.find(({ set }) => set === "bolts")!;
    expect(Object.keys(bolts.metrics)).toEqual(["accuracy", "macroF1", "weightedF1"]);
    expect([0, 1]).toContain(bolts.metrics["accuracy"]!.after);
    expect(summary.heldOut.find(({ set }) => set === "apples")!.metrics).toEqual({});
    await expect(run({ evaluation: { labels: ["yes", "no"] } })).rejects.toMatchObject({
      kind: "config",
      message: "no held-out record has one of evaluation.labels (yes, no) as its answer",
    });
  });
});
