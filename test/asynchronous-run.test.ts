import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { beforeAll, expect, test } from "vitest";
import { adapterHash, runIn } from "./support/experiment.ts";
import { writeTinyData, writeTinyModel } from "./support/tiny-model.ts";

const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-asynchronous-"));
process.env["OPENFEDLLM_CACHE"] = path.join(folder, "cache");

const CLIENTS = ["apples", "bolts", "candles"];

beforeAll(() => {
  writeTinyModel(path.join(folder, "model"));
  for (const [i, name] of CLIENTS.entries()) {
    writeTinyData(path.join(folder, `${name}.jsonl`), name, 12);
    writeTinyData(path.join(folder, `${name}.heldout.jsonl`), `${name} spare`, 3 + i);
  }
});

const run = (federation: object, evaluation: object = {}) =>
  runIn(folder, {
    model: { base: "model" },
    adapter: { rank: 4, alpha: 8, targets: "all-linear" },
    data: {
      maxLength: 96,
      clients: CLIENTS.map((name) => ({ name, train: `${name}.jsonl`, heldOut: `${name}.heldout.jsonl` })),
    },
    training: { batchSize: 4, localSteps: 3, learningRate: 1e-2 },
    federation: { rounds: 4, ...federation },
    evaluation,
  });

test("mode async learns, is the same twice, and with a buffer for all is the synchronous run", async () => {
  const asynchronous = { mode: "async", bufferSize: 2, algorithm: "fedadam" };
  const [one, again] = [await run(asynchronous), await run(asynchronous)];
  expect(adapterHash(again.folder, "adapter")).toBe(adapterHash(one.folder, "adapter"));
  for (const { before, after } of one.summary.heldOut) expect(after).toBeLessThan(before);
  const ends = one.events.filter((event) => event.type === "round-end");
  expect(ends.map(({ accepted }) => accepted.length)).toEqual([2, 2, 2, 2]);
  const all = await run({ ...asynchronous, bufferSize: 3 });
  expect(adapterHash(all.folder, "adapter")).toBe(adapterHash((await run({ algorithm: "fedadam" })).folder, "adapter"));
});

test("a client with too few held-out records withholds its scores, and the others' stay what they are", async () => {
  const all = await run({ rounds: 1 });
  const some = await run({ rounds: 1 }, { minRecords: 4 });
  const reason = "fewer than 4 held-out records";
  expect(some.summary.withheld).toEqual([{ set: "apples", reason }]);
  expect(some.summary.heldOut).toEqual(all.summary.heldOut.slice(1));
  expect(all.summary.withheld).toBeUndefined();
  const text = readFileSync(path.join(some.folder, "metrics.json"), "utf8");
  const metrics = JSON.parse(text) as { rounds: { heldOut: object; withheld: object }[] };
  for (const round of metrics.rounds) {
    expect(round.withheld).toEqual({ apples: reason });
    expect(Object.keys(round.heldOut)).toEqual(["bolts", "candles"]);
  }
  expect(text).not.toContain("null");
});
