import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import type { RunEvent } from "../src/federation/events.ts";
import type { Runtime } from "../src/train/runtime.ts";
import { OBJECTIVES, type ObjectiveName } from "../src/train/objective-registry.ts";
import { cliIn, eventsOf, killedAfterEvents, startRun } from "./support/cli.ts";
import { adapterHash, runIn } from "./support/experiment.ts";
import { writeTinyModel } from "./support/tiny-model.ts";

const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-alignment-"));
process.env["OPENFEDLLM_CACHE"] = path.join(folder, "cache");
const env = { ...process.env, NO_COLOR: "1" };

const CLIENTS = ["clerks", "guides"];
const PAIRWISE = (Object.keys(OBJECTIVES) as ObjectiveName[]).filter((name) => name !== "sft" && name !== "kto");

/** Pairs with a rule to find: the chosen answer is polite, the rejected one is curt. */
function pairs(trade: string, count: number): object[] {
  return Array.from({ length: count }, (_, i) => ({
    prompt: `Ask the ${trade} about item ${i}`,
    chosen: `Gladly: it is number ${i * 7}.`,
    rejected: `No. Look at ${i * 7} yourself.`,
  }));
}

const jsonl = (name: string, rows: readonly object[]): void =>
  writeFileSync(path.join(folder, name), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));

function config(objective: object, changes: Record<string, unknown> = {}): object {
  return {
    model: { base: "model" },
    adapter: { rank: 4, alpha: 8, dropout: 0.3, targets: "all-linear" },
    objective,
    data: {
      maxLength: 128,
      clients: CLIENTS.map((name) => ({ name, train: `${name}.jsonl`, heldOut: `${name}.heldout.jsonl` })),
    },
    training: { batchSize: 4, localSteps: 4, learningRate: 1e-2 },
    federation: { rounds: 3 },
    evaluation: { every: 1 },
    ...changes,
  };
}

beforeAll(() => {
  writeTinyModel(path.join(folder, "model"));
  for (const name of CLIENTS) {
    jsonl(`${name}.jsonl`, pairs(name, 16));
    jsonl(`${name}.heldout.jsonl`, pairs(`${name} spare`, 4));
    jsonl(
      `${name}.rated.jsonl`,
      pairs(name, 16).map((pair, i) => {
        const { prompt, chosen, rejected } = pair as Record<string, string>;
        return { prompt, completion: i % 2 === 0 ? chosen : rejected, label: i % 2 === 0 };
      }),
    );
  }
});

describe("every objective learns a preference, together", () => {
  test.each(PAIRWISE)("%s: held-out accuracy and margin rise, rewards are told", async (name) => {
    const { summary, events } = await runIn(folder, config({ name }));
    for (const { metrics, records, count } of summary.heldOut) {
      expect(count).toBe(records);
      expect(metrics["accuracy"]!.after).toBe(1);
      expect(metrics["margin"]!.after).toBeGreaterThan(metrics["margin"]!.before);
      const { chosenReward, rejectedReward, margin } = metrics;
      expect(chosenReward!.after - rejectedReward!.after).toBeCloseTo(margin!.after, 6);
    }
    const updates = events.filter((event) => event.type === "client-update");
    expect(updates).toHaveLength(6);
    for (const { metrics, count } of updates) {
      expect(count).toBe(16);
      expect(Object.keys(metrics!).sort()).toEqual(["accuracy", "chosenReward", "margin", "rejectedReward"]);
    }
  });

  test("kto, from pairs and from rated answers", async () => {
    const fromPairs = await runIn(folder, config({ name: "kto" }));
    for (const { metrics } of fromPairs.summary.heldOut) expect(metrics["accuracy"]!.after).toBe(1);
    expect(fromPairs.events.find(({ type }) => type === "run-start")).toMatchObject({
      clients: [{ records: 32, heldOut: 8 }, { records: 32 }],
    });
    const clients = CLIENTS.map((name) => ({ name, train: `${name}.rated.jsonl`, heldOut: `${name}.heldout.jsonl` }));
    const rated = await runIn(folder, config({ name: "kto" }, { data: { maxLength: 128, clients } }));
    for (const { metrics } of rated.summary.heldOut) {
      expect(metrics["margin"]!.after).toBeGreaterThan(0);
      expect(metrics["chosenReward"]!.after).toBeGreaterThan(metrics["rejectedReward"]!.after);
    }
  });

  test.each(["scaffold", "fedadam", "fedprox", "local", "centralized"])("dpo under %s", async (algorithm) => {
    const { summary } = await runIn(folder, config({ name: "dpo" }, { federation: { rounds: 2, algorithm } }));
    for (const { metrics } of summary.heldOut) {
      expect(metrics["margin"]!.after).toBeGreaterThan(0);
      expect(metrics["accuracy"]!.before).toBe(0.5);
    }
  });

  test("before training the loss of dpo is log 2, on every set, and dropout is off", async () => {
    const { summary, events } = await runIn(folder, config({ name: "dpo" }, { federation: { rounds: 1 } }));
    for (const { before } of summary.heldOut) expect(before).toBeCloseTo(Math.LN2, 12);
    const first = events.find((event) => event.type === "client-step");
    expect(first!.loss).toBeCloseTo(Math.LN2, 5);
  });
});

describe("the reference", () => {
  test("is measured once a record: an event a set, whatever the number of rounds, and nothing for those without one", async () => {
    const { events } = await runIn(folder, config({ name: "dpo" }));
    const told = events.filter((event) => event.type === "reference-end");
    expect(told.map(({ client, set, records }) => `${client} ${set} ${records}`).sort()).toEqual([
      "clerks heldOut 4",
      "clerks train 16",
      "guides heldOut 4",
      "guides train 16",
    ]);
    const without = await runIn(folder, config({ name: "simpo" }, { federation: { rounds: 1 } }));
    expect(without.events.filter(({ type }) => type === "reference-end")).toEqual([]);
  });
});

describe("the reference of a run that was stopped", () => {
  /** Counts what runs through forward-only graphs: reference and evaluation. */
  function counting() {
    const count = { forward: 0 };
    const runtime = (inner: Runtime): Runtime => ({
      async load(graph, weights) {
        const session = await inner.load(graph, weights);
        const trains = [...graph.outputs.keys()].some((name) => name.startsWith("gradient:"));
        return {
          run: async (...what) => {
            if (!trains) count.forward++;
            return session.run(...what);
          },
          dispose: async () => session.dispose(),
        };
      },
    });
    return { count, runtime };
  }

  test("is in its folder: what goes on asks the base nothing again", async () => {
    const clients = CLIENTS.map((name) => ({ name, train: `${name}.jsonl` }));
    const settings = config({ name: "dpo" }, { data: { maxLength: 128, clients }, evaluation: {} });
    const first = counting();
    const stopAt = ({ type }: RunEvent): boolean => type === "round-end";
    await expect(runIn(folder, settings, { name: "kept", runtime: first.runtime, stopAt })).rejects.toMatchObject({
      kind: "interrupted",
    });
    expect(first.count.forward).toBeGreaterThan(0);
    const next = counting();
    const { summary } = await runIn(folder, settings, { name: "kept", runtime: next.runtime });
    expect(next.count.forward).toBe(0);
    expect(summary.adapter).toBe((await runIn(folder, settings)).summary.adapter);
  });
});

const cli = cliIn(folder, env);

describe("killed again and again, a run with state ends with the same bytes and events", () => {
  test.each([
    ["scaffold", "adapter"],
    ["fedyogi", "adapter"],
    ["local", "client-adapters/guides"],
  ])(
    "dpo under %s: control variates, server moments, own adapters, reference",
    async (algorithm, adapter) => {
      const file = `${algorithm}.yaml`;
      writeFileSync(
        path.join(folder, file),
        stringify(config({ name: "dpo" }, { federation: { rounds: 4, algorithm }, runtime: { threads: 1 } })),
      );
      expect(cli("run", file, "--out", `${algorithm}-whole`).stderr).not.toContain("error");
      let kills = 0;
      for (let seed = 1; kills < 6 && seed < 30; seed++) {
        const child = startRun(folder, env, file, "--out", `${algorithm}-killed`);
        if (await killedAfterEvents(child, 2 + ((seed * 7919) % 15))) kills++;
        else break;
      }
      expect(kills).toBeGreaterThanOrEqual(3);
      expect(cli("run", file, "--out", `${algorithm}-killed`).status).toBe(0);
      const [whole, killed] = ["whole", "killed"].map((name) => adapterHash(folder, `${algorithm}-${name}`, adapter));
      expect(killed).toBe(whole);
      expect(eventsOf(path.join(folder, `${algorithm}-killed`))).toEqual(
        eventsOf(path.join(folder, `${algorithm}-whole`)),
      );
    },
    240_000,
  );
});

describe("bad input", () => {
  const refused = async (rows: readonly object[], objective: object = { name: "dpo" }, data: object = {}) => {
    jsonl("bad.jsonl", rows);
    return runIn(
      folder,
      config(objective, { data: { maxLength: 64, clients: [{ name: "bad", train: "bad.jsonl" }], ...data } }),
    );
  };
  const [good] = pairs("clerks", 1);

  test.each([
    ["equal answers", [good!, { prompt: "a", chosen: "same", rejected: "same" }], "line 2"],
    ["an empty answer", [{ prompt: "a", chosen: "", rejected: "no" }], "line 1"],
    ["no pair at all", [{ instruction: "a", response: "b" }], "no chosen and rejected"],
  ])("%s: one sentence that names the place", async (_title, rows, part) => {
    await expect(refused(rows as object[])).rejects.toMatchObject({
      kind: "data",
      message: expect.stringContaining(part as string),
    });
  });

  test("prompts that fill the window: which client, and what to do", async () => {
    await expect(
      refused([{ prompt: "x".repeat(500), chosen: "yes", rejected: "no" }], { name: "dpo" }, { maxPromptLength: 64 }),
    ).rejects.toMatchObject({
      message: "client bad: none of 1 records can be learnt from within data.maxLength (64 tokens)",
    });
  });

  test("pairs for sft, and a name that no registry has", async () => {
    await expect(refused([good!], { name: "sft" })).rejects.toMatchObject({ kind: "data" });
    await expect(refused([good!], { name: "dpoo" })).rejects.toMatchObject({
      kind: "config",
      message: expect.stringContaining('objective.name is "dpoo"'),
      hint: "Did you mean 'dpo'?",
    });
  });

  test("data.invalid: skip leaves them out and says how many", async () => {
    const rows = [...pairs("clerks", 4), { prompt: "a", chosen: "same", rejected: "same" }];
    const { events } = await refused(rows, { name: "dpo" }, { invalid: "skip" });
    expect(events.find(({ type }) => type === "run-start")).toMatchObject({ clients: [{ name: "bad", records: 4 }] });
  });
});
