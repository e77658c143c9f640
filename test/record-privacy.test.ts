import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import type { RunEvent } from "../src/federation/events.ts";
import { cliIn } from "./support/cli.ts";
import { adapterHash, runIn } from "./support/experiment.ts";
import { writeTinyData, writeTinyModel, writeTinyPairs } from "./support/tiny-model.ts";

const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-record-privacy-"));
process.env["OPENFEDLLM_CACHE"] = path.join(folder, "cache");
const cli = cliIn(folder, { ...process.env });

const CLIENTS = ["apples", "bolts"];

beforeAll(() => {
  writeTinyModel(path.join(folder, "model"));
  for (const name of [...CLIENTS, "candles"]) {
    writeTinyData(path.join(folder, `${name}.jsonl`), name, 20);
    writeTinyPairs(path.join(folder, `${name}.pairs.jsonl`), name, 12);
  }
  writeTinyData(path.join(folder, "common.jsonl"), "lamps", 4);
});

interface Changes {
  readonly data?: object;
  readonly training?: object;
  readonly federation?: object;
  readonly record?: object;
  readonly [section: string]: unknown;
}

function config({ data, training, federation, record, ...changes }: Changes = {}): object {
  return {
    model: { base: "model" },
    adapter: { rank: 2, alpha: 4, targets: "all-linear" },
    data: {
      maxLength: 96,
      heldOut: "common.jsonl",
      clients: CLIENTS.map((name) => ({ name, train: `${name}.jsonl` })),
      ...data,
    },
    training: { batchSize: 4, localSteps: 2, learningRate: 1e-2, ...training },
    federation: { rounds: 2, ...federation },
    privacy: { record: { epsilon: 8, delta: 1e-3, ...record } },
    ...changes,
  };
}

const run = (changes?: Changes, options: Parameters<typeof runIn>[2] = {}) => runIn(folder, config(changes), options);
const ofType = (events: readonly RunEvent[], type: RunEvent["type"]): RunEvent[] =>
  events.filter((event) => event.type === type);

describe("a run with private records", () => {
  test("trains, is scored on the common set, and tells nothing of records", async () => {
    const { folder: out, events, summary } = await run();
    expect(summary.heldOut.map(({ set }) => set)).toEqual(["common"]);
    expect(ofType(events, "client-update")).toHaveLength(4);
    for (const event of ofType(events, "client-step")) {
      expect(Object.keys(event).sort()).toEqual(["client", "learningRate", "round", "seconds", "step", "type"]);
    }
    const cells = path.join(out, "exchange", "cells");
    for (const name of readdirSync(path.join(cells, "round-0001", "update"))) {
      const update = JSON.parse(readFileSync(path.join(cells, "round-0001", "update", name), "utf8"));
      expect(Object.keys(update).sort()).toEqual(["base", "bytesDown", "bytesUp", "client", "update"]);
    }
  });

  test("has noise and coins of its own: a second run is another one", async () => {
    const hashes = [await run(), await run()].map(({ folder: out }) => adapterHash(out, "adapter"));
    expect(hashes[0]).not.toBe(hashes[1]);
  });

  test.each([
    ["fedprox", { federation: { algorithm: "fedprox", proxMu: 0.1 } }],
    ["scaffold", { federation: { algorithm: "scaffold" } }],
    ["centralized", { federation: { algorithm: "centralized" } }],
    ["one LoRA factor", { federation: { factors: "ffa" } }],
    [
      "the two LoRA factors in turn, with control variates",
      { federation: { factors: "rolora", algorithm: "scaffold" } },
    ],
    ["privacy of clients", { privacy: { record: { delta: 1e-3 }, client: {} } }],
    [
      "secure aggregation",
      {
        data: { clients: [...CLIENTS, "candles"].map((name) => ({ name, train: `${name}.jsonl` })) },
        secureAggregation: { minCohort: 3 },
      },
    ],
    ["epochs and dropout", { training: { localSteps: undefined, localEpochs: 0.5 }, adapter: { dropout: 0.1 } }],
    [
      "dpo",
      {
        objective: { name: "dpo" },
        data: { heldOut: undefined, clients: CLIENTS.map((name) => ({ name, train: `${name}.pairs.jsonl` })) },
      },
    ],
  ] as const)("works with %s", async (_what, changes) => {
    const { events } = await run(changes as Changes);
    expect(ofType(events, "client-refused")).toEqual([]);
    expect(ofType(events, "run-end")).toHaveLength(1);
  });

  test("stopped in any step and continued, it ends with the same adapter: the same coins and the same noise", async () => {
    const atStep = (count: number) => {
      let steps = 0;
      return (event: RunEvent): boolean => event.type === "client-step" && ++steps === count;
    };
    // By then both clients have their keys, so what follows has one outcome.
    await expect(run({}, { name: "begun", stopAt: atStep(3) })).rejects.toThrow("Stopped");
    cpSync(path.join(folder, "begun"), path.join(folder, "disturbed"), { recursive: true });
    const whole = await run({}, { name: "begun" });
    for (const count of [1, 2, 3, 1]) {
      await expect(run({}, { name: "disturbed", stopAt: atStep(count) })).rejects.toThrow("Stopped");
    }
    const disturbed = await run({}, { name: "disturbed" });
    expect(adapterHash(disturbed.folder, "adapter")).toBe(adapterHash(whole.folder, "adapter"));
  });

  test("stops where the budget is spent, and says what was spent", async () => {
    const long = { federation: { rounds: 30 }, record: { noiseMultiplier: 0.9 } };
    await expect(run(long, { name: "spent" })).rejects.toMatchObject({
      kind: "training",
      message: expect.stringMatching(/it has spent its budget \(ε [67]\.\d\d of 8 at δ 0\.001 after \d+ rounds\)/),
    });
  });

  test("whose ledger was deleted is refused", async () => {
    const stopAt = (event: RunEvent): boolean => event.type === "round-end";
    await expect(run({}, { name: "deleted", stopAt })).rejects.toThrow("Stopped");
    rmSync(path.join(folder, "deleted", "clients", "cells", "record-privacy"), { recursive: true });
    await expect(run({}, { name: "deleted" })).rejects.toThrow(
      /Client \w+ took part in round 1, and its privacy ledger/,
    );
  });
});

describe("refused", () => {
  test.each<[string, Changes, string]>([
    [
      "kto",
      { objective: { name: "kto" } },
      "privacy.record and objective.name kto exclude each other: its reference point is a mean over the batch",
    ],
    [
      "orpo's likelihood of whole sequences",
      { objective: { name: "orpo", likelihood: "sequence" } },
      "privacy.record and objective.likelihood sequence exclude each other: its likelihood is a mean over the tokens of the batch",
    ],
    [
      "weights by records",
      { federation: { weighting: "records" } },
      "privacy.record needs federation.weighting uniform, got records: by records, a client's weight tells how many records it has",
    ],
    [
      "a run in which nothing leaves",
      { federation: { algorithm: "local" } },
      "exclude each other: nothing leaves a client",
    ],
    ["the original's numbers", { fidelity: "original" }, "the original has nothing of the kind"],
    [
      "a delta of one record",
      { record: { delta: 0.05 } },
      "privacy.record.delta is 0.05; with the 20 records of client apples it must be below 0.05",
    ],
    [
      "noise with which no round fits in the budget",
      { record: { noiseMultiplier: 0.1 } },
      "privacy.record.noiseMultiplier is 0.1: one round of client apples costs more than privacy.record.epsilon 8",
    ],
    [
      "a budget that no noise keeps",
      { record: { epsilon: 1e-3, delta: 1e-6 } },
      "privacy.record.epsilon is 0.001, and at privacy.record.delta 0.000001 no noise is enough for it",
    ],
    ["a budget of nothing", { record: { epsilon: 0 } }, "privacy.record.epsilon is 0, expected number > 0"],
  ])("%s", async (_what, changes, message) => {
    await expect(run(changes)).rejects.toThrow(message);
  });

  test("other settings of a run that was begun", async () => {
    await run({}, { name: "bound" });
    await expect(run({ record: { epsilon: 4 } }, { name: "bound" })).rejects.toThrow(
      "privacy.record.epsilon was 8, is 4",
    );
  });
});

test("on the command line: a run, a setting by its key, and the report", () => {
  writeFileSync(path.join(folder, "cli.yaml"), stringify(config()));
  const { status, stdout, stderr } = cli("run", "cli.yaml", "--out", "cli", "--set", "privacy.record.clip=0.5");
  expect(status, stderr).toBe(0);
  expect(stdout + stderr).toContain("train loss not sent");
  expect(cli("run", "cli.yaml", "--out", "cli2", "--set", "privacy.record.eps=1").stderr).toContain("unknown key");
  expect(cli("privacy", "report", "cli").status).toBe(0);
  const report = readFileSync(path.join(folder, "cli", "privacy.md"), "utf8");
  for (const client of CLIENTS)
    expect(report).toMatch(
      new RegExp(`\\| ${client} \\| 0\\.2 \\| 0\\.5 \\| \\S+ \\| 4 \\| 8\\.00 \\| 8 \\| 0\\.001 \\|`),
    );
});
