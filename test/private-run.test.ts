import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { cliIn, killedAfterEvents, startRun } from "./support/cli.ts";
import { adapterHash as hashOf } from "./support/experiment.ts";
import { writeTinyData, writeTinyModel } from "./support/tiny-model.ts";

const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-private-"));
const env = { ...process.env, OPENFEDLLM_CACHE: path.join(folder, "cache"), NO_COLOR: "1" };
const cli = cliIn(folder, env);
const at = (...parts: string[]): string => path.join(folder, ...parts);

const CLIENTS = ["apples", "bolts", "candles"];

function write(name: string, privacy: object, federation: object = {}, others: object = {}): void {
  const config = {
    model: { base: "model" },
    adapter: { rank: 2, alpha: 4 },
    data: {
      maxLength: 128,
      heldOut: "common.jsonl",
      clients: CLIENTS.map((client) => ({ name: client, train: `${client}.jsonl` })),
    },
    training: { batchSize: 4, localSteps: 2, learningRate: 5e-3 },
    federation: { rounds: 2, ...federation },
    privacy: { client: privacy },
    evaluation: { every: 1 },
    ...others,
  };
  writeFileSync(at(name), stringify(config));
}

interface Event {
  readonly type: string;
  readonly [field: string]: unknown;
}

const eventsOf = (run: string): Event[] =>
  readFileSync(at(run, "events.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Event);

beforeAll(() => {
  writeTinyModel(at("model"));
  for (const [i, name] of CLIENTS.entries()) writeTinyData(at(`${name}.jsonl`), name, 8 + i);
  writeTinyData(at("common.jsonl"), "spare", 4);
});

describe("openfedllm run with privacy.client", () => {
  test("with adapters of the clients' own nobody scores them for others", () => {
    write("own.yaml", { epsilon: 8 }, { factors: "fedsa" });
    const { status, stderr } = cli("run", "own.yaml", "--out", "own");
    expect(stderr).not.toContain("error");
    expect(status).toBe(0);
    const scored = eventsOf("own").filter(({ type }) => type === "evaluation-end");
    expect(scored.map(({ round }) => round)).toEqual([0]);
  });

  test("tells what was spent, keeps figures and updates at home, and can be killed", async () => {
    write("private.yaml", { epsilon: 8 });
    const { status, stdout, stderr } = cli("run", "private.yaml", "--out", "first");
    expect(stderr).not.toContain("error");
    expect(status).toBe(0);
    expect(stdout + stderr).toContain("train loss not sent");
    const spent = eventsOf("first").filter(({ type }) => type === "privacy-spent");
    expect(spent.map(({ round, epsilon }) => [round, Number((epsilon as number).toFixed(2))])).toEqual([
      [1, 4.73],
      [2, 8],
    ]);
    const metrics = JSON.parse(readFileSync(at("first", "metrics.json"), "utf8"));
    expect(metrics.rounds.at(-1).privacy).toMatchObject({ budget: 8, mechanism: "central", divisor: 3 });
    expect(Object.keys(metrics.rounds.at(-1).clients.apples).sort()).toEqual(["bytesDown", "bytesUp", "ledger"]);
    expect(Object.keys(metrics.rounds.at(-1).heldOut)).toEqual(["common"]);
    expect(readFileSync(at("first", "report.html"), "utf8")).toContain("not sent");

    await killedAfterEvents(startRun(folder, env, "private.yaml", "--out", "killed"), 12);
    expect(cli("run", "private.yaml", "--out", "killed").status).toBe(0);
    // Another run has another key, so it ends elsewhere, with as much noise.
    expect(hashOf(folder, "killed", "adapter")).not.toBe(hashOf(folder, "first", "adapter"));
    expect(readdirSync(at("killed", "private", "cells", "ledger")).sort()).toEqual(CLIENTS);
  });

  test("has a model card that counts its rounds, and no records", () => {
    expect(cli("export", "first", "--to", "merged", "--out", "merged").status).toBe(0);
    const card = readFileSync(at("merged", "README.md"), "utf8");
    expect(card).toContain("objective sft, 2 rounds, 3 members.");
    expect(card).toContain("Members did not tell the number of their records;");
  });

  test("refuses to go on without its ledger, and with a lower budget", () => {
    write("other.yaml", { epsilon: 6 });
    const lowered = cli("run", "other.yaml", "--out", "first");
    expect(lowered.status).not.toBe(0);
    expect(lowered.stderr).toContain("privacy.client.epsilon was 8, is 6");
    rmSync(at("first", "private"), { recursive: true });
    write("longer.yaml", { epsilon: 8 }, { rounds: 3 });
    const lost = cli("run", "longer.yaml", "--out", "first");
    expect(lost.status).not.toBe(0);
    expect(lost.stderr).toContain("the key of its noise is not in its folder");
    expect(existsSync(at("first", "private"))).toBe(false);
  });

  test("stops when the budget is spent, and keeps the adapter", () => {
    write("spent.yaml", { epsilon: 8, noiseMultiplier: 0.6 }, { rounds: 4 });
    const { status, stderr } = cli("run", "spent.yaml", "--out", "spent");
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/note: privacy\.client\.noiseMultiplier 0\.6 costs ε \d+\.\d\d in 4 rounds, more than/);
    expect(stderr).toMatch(/Client apples has spent its budget \(ε \d\.\d\d of 8 at δ 3\.3e-2 after \d rounds?\)/);
    expect(existsSync(at("spent", "adapters", "round-0002"))).toBe(true);
  });

  test("masks updates that have noise of their clients' own", () => {
    write("masked.yaml", { mechanism: "local" }, {}, { secureAggregation: { minCohort: 3 } });
    const { status, stderr } = cli("run", "masked.yaml", "--out", "masked");
    expect(stderr).not.toContain("error");
    expect(status).toBe(0);
    const own = readdirSync(at("masked", "clients", "cells", "ledger")).sort();
    expect(own).toEqual(CLIENTS);
  });
});
