import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { natsProgram } from "./support/nats-server.ts";
import { decodeSafetensors } from "../src/tensor/safetensors.ts";
import { cliIn, killedAfterEvents, startRun } from "./support/cli.ts";
import { adapterHash as hashOf } from "./support/experiment.ts";
import { writeTinyData, writeTinyModel } from "./support/tiny-model.ts";

const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-secure-"));
const env = { ...process.env, OPENFEDLLM_CACHE: path.join(folder, "cache"), NO_COLOR: "1" };
const cli = cliIn(folder, env);
const at = (...parts: string[]): string => path.join(folder, ...parts);

const CLIENTS = ["apples", "bolts", "candles", "dyes"];

function write(name: string, secureAggregation: object | undefined, federation: object = {}, privacy?: object): void {
  const config = {
    model: { base: "model" },
    adapter: { rank: 2, alpha: 4 },
    data: {
      maxLength: 128,
      clients: CLIENTS.map((client) => ({ name: client, train: `${client}.jsonl`, heldOut: "common.jsonl" })),
    },
    training: { batchSize: 4, localSteps: 2, learningRate: 5e-3 },
    federation: { rounds: 2, ...federation },
    ...(secureAggregation && { secureAggregation }),
    ...(privacy && { privacy }),
    evaluation: { every: 1 },
    runtime: { threads: 1 },
  };
  writeFileSync(at(name), stringify(config));
}

const numbersOf = (run: string): number[] =>
  [...decodeSafetensors(readFileSync(at(run, "adapter", "adapter_model.safetensors"))).values()].flatMap(({ data }) => [
    ...data,
  ]);

afterAll(() => rmSync(folder, { recursive: true }));
beforeAll(() => {
  writeTinyModel(at("model"));
  for (const [i, name] of CLIENTS.entries()) writeTinyData(at(`${name}.jsonl`), name, 8 + i);
  writeTinyData(at("common.jsonl"), "spare", 4);
});

describe("openfedllm run with secureAggregation", () => {
  test(
    "ends where the plain run does within the grid, repeats its bytes, and can be killed",
    { timeout: 120_000 },
    async () => {
      write("plain.yaml", undefined);
      write("secure.yaml", { minCohort: 3 });
      expect(cli("run", "plain.yaml", "--out", "plain").status).toBe(0);
      const { status, stdout, stderr } = cli("run", "secure.yaml", "--out", "first");
      expect(stderr).not.toContain("error");
      expect(status).toBe(0);
      expect(stdout + stderr).toContain("train loss not sent");
      const plain = numbersOf("plain");
      numbersOf("first").forEach((value, i) => expect(Math.abs(value - plain[i]!)).toBeLessThan(2e-6));

      await killedAfterEvents(startRun(folder, env, "secure.yaml", "--out", "killed"), 12);
      expect(cli("run", "secure.yaml", "--out", "killed").status).toBe(0);
      expect(hashOf(folder, "killed", "adapter")).toBe(hashOf(folder, "first", "adapter"));
      // The keys of rounds that are over are gone, and the updates of the last one are masked.
      const kept = readdirSync(at("first", "clients", "cells", "secagg", "apples", "round-0001"));
      expect(kept.sort()).toEqual(["answered.json", "key-list.json", "masked.json", "master.json"]);
      const memorised = cli("memorisation", "first");
      expect(memorised.stdout + memorised.stderr).not.toContain("before the aggregation");
    },
  );

  test.each<[secure: object, federation: object, sentence: string, hint: string]>([
    [{}, {}, "secureAggregation.minCohort is 10, but a round has 4 clients", "the least is 3"],
    [{ minCohort: 3 }, { clientsPerRound: 2 }, "secureAggregation needs at least 3 clients a round, got 2", ""],
    [
      { minCohort: 3 },
      { aggregator: "median" },
      "secureAggregation and federation.aggregator median exclude",
      "buckets",
    ],
    [
      { minCohort: 3 },
      { stages: [{ name: "topk" }] },
      "secureAggregation and federation.stages topk exclude each other: everyone keeps other coordinates",
      "randomk",
    ],
    [{ minCohort: 3, threshold: 2 }, {}, "secureAggregation.threshold is 2 with 3 neighbours, expected 3 to 4", ""],
    [{ minCohort: 2 }, {}, "secureAggregation.minCohort", ""],
    [{ minCohort: 3, bits: 24 }, {}, "secureAggregation.bits", ""],
    [{ minCohort: 3, range: 1e9 }, { weighting: "uniform" }, "secureAggregation.bits is 32: the sum of 4 clients", ""],
    [{ minCohort: 3 }, { algorithm: "local" }, "exclude each other", ""],
  ])("refuses %j with %j", (secure, federation, sentence, hint) => {
    write("refused.yaml", secure, federation);
    const { status, stderr } = cli("run", "refused.yaml", "--out", "refused");
    expect(status).toBe(2);
    expect(stderr).toContain(sentence);
    expect(stderr).toContain(hint);
  });
});

test.each([
  ["randomk", [{ name: "randomk", share: 0.5 }]],
  ["a clip, which is the range", [{ name: "clip", maxNorm: 0.01 }]],
])("goes with the stage %s", { timeout: 120_000 }, (what, stages) => {
  const name = what.split(/\W/)[0]!;
  write(`${name}.yaml`, { minCohort: 3 }, { stages, algorithm: "scaffold" });
  write(`${name}-plain.yaml`, undefined, { stages, algorithm: "scaffold" });
  for (const run of [name, `${name}-plain`])
    expect(cli("run", `${run}.yaml`, "--out", run).stderr).not.toContain("error");
  const plain = numbersOf(`${name}-plain`);
  numbersOf(name).forEach((value, i) => expect(Math.abs(value - plain[i]!)).toBeLessThan(2e-5));
});

test("with privacy.client.mechanism distributed the clients add the noise", { timeout: 120_000 }, () => {
  write("noisy.yaml", { minCohort: 4 }, {}, { client: { epsilon: 8, mechanism: "distributed" } });
  const { status, stdout, stderr } = cli("run", "noisy.yaml", "--out", "noisy");
  expect(stderr).not.toContain("error");
  expect(status).toBe(0);
  expect(stdout + stderr).toContain("privacy of round 2: ε 8.00 of 8 spent");
  const metrics = JSON.parse(readFileSync(at("noisy", "metrics.json"), "utf8")) as { rounds: { privacy: object }[] };
  expect(metrics.rounds.at(-1)!.privacy).toMatchObject({ budget: 8, mechanism: "distributed", divisor: 4 });
  expect(readFileSync(at("noisy", "events.jsonl"), "utf8")).not.toContain("failed");
  // Two rounds of noise z·clip/4 a number, and training moves a number by a hundredth.
  const numbers = numbersOf("noisy");
  expect(Math.sqrt(numbers.reduce((sum, x) => sum + x * x, 0) / numbers.length)).toBeGreaterThan(0.2);
  write("open.yaml", undefined, {}, { client: { epsilon: 8, mechanism: "distributed" } });
  expect(cli("run", "open.yaml", "--out", "open").stderr).toContain("secureAggregation");
  write("half.yaml", { minCohort: 4, bits: 16 }, {}, { client: { epsilon: 8, mechanism: "distributed" } });
  expect(cli("run", "half.yaml", "--out", "half").stderr).toContain("secureAggregation.bits is 16, and noise");
});

test.runIf(natsProgram !== undefined)(
  "rehearsed over a network it ends where run does (skipped without nats-server)",
  { timeout: 240_000 },
  () => {
    // Without a fixed number of clients no round would have to wait for all.
    write("network.yaml", { minCohort: 3, active: true });
    const { status, stderr } = cli("rehearse", "network.yaml", "--out", "network");
    expect(stderr).not.toContain("error");
    expect(status).toBe(0);
    const plain = numbersOf("plain");
    numbersOf(path.join("network", "run")).forEach((value, i) =>
      expect(Math.abs(value - plain[i]!)).toBeLessThan(2e-6),
    );
    const cells = at("network", "run", "exchange", "cells", "round-0001");
    const list = JSON.parse(readFileSync(path.join(cells, "key-list.json"), "utf8")) as {
      members: { signed: string }[];
    };
    for (const { signed } of list.members) expect(JSON.parse(signed)).toHaveProperty("signature");
    expect(readdirSync(path.join(cells, "unmask")).length).toBeGreaterThanOrEqual(3);
  },
);
