import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { beginRun } from "../src/federation/round.ts";
import { Participant } from "../src/federation/participant.ts";
import { algorithmOf } from "../src/algorithms/registry.ts";
import { memoryStore } from "../src/store/memory-store.ts";
import { decodeSafetensors, encodeSafetensors } from "../src/tensor/safetensors.ts";
import { cliIn, startIn } from "./support/cli.ts";
import { adapterHash as hashOf } from "./support/experiment.ts";
import { natsProgram } from "./support/nats-server.ts";
import { writeTinyData, writeTinyModel, writeTinyPairs } from "./support/tiny-model.ts";

const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-start-"));
const env = { ...process.env, OPENFEDLLM_CACHE: path.join(folder, "cache"), NO_COLOR: "1" };
const cli = cliIn(folder, env);
const CLIENTS = ["apples", "bolts"];
const ADAPTER = { rank: 4, alpha: 8, targets: ["q_proj", "v_proj"] };

function config(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    model: { base: "model", adapter: "first" },
    adapter: ADAPTER,
    data: {
      maxLength: 96,
      clients: CLIENTS.map((name) => ({ name, train: `${name}.jsonl`, heldOut: `${name}.heldout.jsonl` })),
    },
    training: { batchSize: 4, localSteps: 3, learningRate: 5e-3, schedule: "constant" },
    federation: { rounds: 1 },
    evaluation: { prompts: ["What is apples item 1?"], maxNewTokens: 4 },
    ...changes,
  };
}

function write(name: string, value: unknown): string {
  writeFileSync(path.join(folder, name), stringify(value));
  return name;
}

/** Runs a configuration, and expects it to end well. */
function run(out: string, value: unknown, ...more: string[]): string {
  const { status, stdout, stderr } = cli("run", write(`${out}.yaml`, value), "--out", out, ...more);
  expect(stderr).not.toContain("error:");
  expect(status).toBe(0);
  return stderr + stdout;
}

/** Runs a configuration, and expects it to be refused. */
function refused(value: unknown, ...more: string[]): string {
  const { status, stderr } = cli("run", write("refused.yaml", value), ...more);
  expect(status).toBeGreaterThan(1);
  return stderr;
}

const adapterHash = (...at: string[]): string => hashOf(folder, ...at);
const json = (...at: string[]): any => JSON.parse(readFileSync(path.join(folder, ...at), "utf8"));
const losses = (out: string, when: "before" | "after"): [string, number][] =>
  json(out, "metrics.json").summary.heldOut.map((each: any) => [each.set, each[when]]);

beforeAll(() => {
  writeTinyModel(path.join(folder, "model"));
  for (const [i, name] of CLIENTS.entries()) {
    writeTinyData(path.join(folder, `${name}.jsonl`), name, 12 + 5 * i);
    writeTinyData(path.join(folder, `${name}.heldout.jsonl`), `${name} spare`, 4);
  }
  run("first", config({ model: { base: "model" } }));
  run("second", config());
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("a run that starts from an adapter", () => {
  test("has it as its round 0, and in its identity and its record", () => {
    expect(adapterHash("second", "adapters", "round-0000")).toBe(adapterHash("first", "adapter"));
    expect(adapterHash("second", "adapter")).not.toBe(adapterHash("first", "adapter"));
    expect(losses("second", "before")).toEqual(losses("first", "after"));
    const [before, after] = ["first", "second"].map((out) => json(out, "metrics.json").summary.answers[0]);
    expect(after.before).toBe(before.after);
    expect(json("second", "config.json").adapter).toBe(adapterHash("first", "adapter"));
    expect(json("first", "config.json").adapter).toBeUndefined();
  });

  test("shows the base apart", () => {
    const { baseScores } = json("second", "metrics.json").summary;
    expect(baseScores.map(({ set, loss }: any) => [set, loss])).toEqual(losses("first", "before"));
    expect(json("first", "metrics.json").summary.baseScores).toBeUndefined();
    const [[, apples]] = losses("first", "before") as [[string, number]];
    expect(run("second", config())).toContain(`held-out loss of the base alone: apples ${apples.toFixed(3)}, bolts `);
    const page = readFileSync(path.join(folder, "second", "report.html"), "utf8");
    expect(page).toMatch(/<th[^>]*>base<\/th>/);
    expect(page).toContain(`from the adapter ${adapterHash("first", "adapter").slice(0, 12)}…`);
    expect(readFileSync(path.join(folder, "first", "report.html"), "utf8")).not.toMatch(/<th[^>]*>base<\/th>/);
  });

  test("takes a run folder, an adapter's folder, or what PEFT saves, all the same", () => {
    const saved = json("first", "adapter", "adapter_config.json");
    cpSync(path.join(folder, "first", "adapter"), path.join(folder, "peft"), { recursive: true });
    const { bias: _bias, ...others } = saved;
    writeFileSync(
      path.join(folder, "peft", "adapter_config.json"),
      JSON.stringify({ ...others, base_model_name_or_path: "somebody/else", target_modules: ["v_proj", "q_proj"] }),
    );
    for (const [i, adapter] of ["first/adapter", "peft", path.join(folder, "first")].entries()) {
      run(`way-${i}`, config({ model: { base: "model", adapter } }));
      expect(adapterHash(`way-${i}`, "adapter"), adapter).toBe(adapterHash("second", "adapter"));
    }
  });

  test("keeps it as the best where training makes it worse, and says so", () => {
    const training = { batchSize: 4, localSteps: 3, learningRate: 3, maxGradNorm: 0, schedule: "constant" };
    const said = run("worse", config({ training, evaluation: { best: { metric: "loss" } } }));
    expect(said).toContain("the adapter that it started from: held-out loss");
    expect(said).toContain("worse than the adapter that it started from");
    expect(adapterHash("worse", "best")).toBe(adapterHash("first", "adapter"));
  });

  test("compares preferences with it: the first loss of DPO is ln 2", () => {
    writeTinyPairs(path.join(folder, "pairs.jsonl"), "apples", 8);
    const data = { maxLength: 96, clients: [{ name: "apples", train: "pairs.jsonl" }] };
    const out = run("dpo", config({ data, objective: { name: "dpo" } }), "--json");
    const steps = out.split("\n").flatMap((line) => (line.includes('"client-step"') ? [JSON.parse(line)] : []));
    expect(steps[0].loss).toBeCloseTo(Math.LN2, 6);
    expect(steps.at(-1).loss).toBeLessThan(Math.LN2 - 1e-3);
  });

  test("is planned and swept", () => {
    const plan = cli("plan", "second.yaml", "--no-measure");
    expect(plan.status).toBe(0);
    const content = {
      experiment: config({ model: { base: "model" } }),
      runs: [
        { name: "fresh", set: {} },
        { name: "going-on", set: { "model.adapter": "first" } },
      ],
    };
    write("start.sweep.yaml", content);
    const swept = cli("sweep", "start.sweep.yaml", "--out", "swept");
    expect(swept.stderr).not.toContain("error:");
    expect(adapterHash("swept", "going-on-seed42", "adapter")).toBe(adapterHash("second", "adapter"));
    expect(adapterHash("swept", "fresh-seed42", "adapter")).toBe(adapterHash("first", "adapter"));
  });
});

describe("an adapter to start from is refused", () => {
  test.each<[string, Record<string, unknown>, string, string]>([
    [
      "of another shape",
      { adapter: { rank: 8, alpha: 8, targets: "all-linear" } },
      "the adapter first (model.adapter) has another shape: adapter.rank is 8, its own is 4; adapter.targets is all-linear, its own are [q_proj, v_proj]",
      "Set adapter: { rank: 4, alpha: 8, targets: [q_proj, v_proj] }",
    ],
    ["with another alpha", { adapter: { ...ADAPTER, alpha: 4 } }, "adapter.alpha is 4, its own is 8", "alpha: 8"],
    ["that is not there", { model: { base: "model", adapter: "frist" } }, "there is no folder", "first"],
    ["that is a base", { model: { base: "model", adapter: "model" } }, "is a base model, not a run folder", "adapter"],
  ])("%s", (_name, changes, message, hint) => {
    const said = refused(config(changes), "--out", "refused");
    expect(said).toContain(message);
    expect(said.slice(said.indexOf("hint:"))).toContain(hint);
  });

  test("that fits another base only", () => {
    writeTinyModel(path.join(folder, "wide"), { hiddenSize: 64 });
    expect(refused(config({ model: { base: "wide", adapter: "first" } }), "--out", "refused")).toMatch(
      /model\.adapter first: tensor .* is \[4, 32\], expected \[4, 64\]/,
    );
    writeTinyModel(path.join(folder, "twin"), { seed: 9 });
    expect(run("twin-run", config({ model: { base: "twin", adapter: "first" } }))).toContain(
      "note: the adapter first was trained on another base than twin\n",
    );
  });

  test("that has ranks of its own", () => {
    cpSync(path.join(folder, "first", "adapter"), path.join(folder, "mixed"), { recursive: true });
    const file = path.join(folder, "mixed", "adapter_model.safetensors");
    const tensors = new Map(decodeSafetensors(readFileSync(file), file));
    for (const [name, { shape, data }] of tensors) {
      if (!name.includes("v_proj")) continue;
      const isA = name.includes("lora_A");
      const own = isA ? [2, shape[1]!] : [shape[0]!, 2];
      tensors.set(name, { shape: own, data: data.slice(0, own[0]! * own[1]!) });
    }
    writeFileSync(file, encodeSafetensors(tensors, { format: "pt" }));
    const settings = json("first", "adapter", "adapter_config.json");
    writeFileSync(
      path.join(folder, "mixed", "adapter_config.json"),
      JSON.stringify({ ...settings, rank_pattern: { v_proj: 2 } }),
    );
    expect(refused(config({ model: { base: "model", adapter: "mixed" } }), "--out", "refused")).toContain(
      "has ranks or scales of its own for some modules",
    );
  });

  test("where a run goes on, and its tensors are others now", () => {
    cpSync(path.join(folder, "first", "adapter"), path.join(folder, "moving"), { recursive: true });
    const value = config({ model: { base: "model", adapter: "moving" } });
    run("moved", value);
    cpSync(path.join(folder, "second", "adapter"), path.join(folder, "moving"), { recursive: true });
    expect(refused(value, "--out", "moved")).toContain("the adapter to start from (the tensors of model.adapter");
    expect(refused(config({ model: { base: "model" } }), "--out", "moved")).toContain(
      'model.adapter was "moving", is not set',
    );
  });
});

describe("over parties", () => {
  test("it travels as the adapter of round 0, and members need no copy", async () => {
    write("joint.yaml", config());
    // The members' own folder has no run to start from.
    const site = path.join(folder, "site");
    for (const name of [
      "model",
      "joint.yaml",
      "apples.jsonl",
      "apples.heldout.jsonl",
      "bolts.jsonl",
      "bolts.heldout.jsonl",
    ])
      cpSync(path.join(folder, name), path.join(site, name), { recursive: true });
    const coordinator = startIn(folder, env, "coordinate", "joint.yaml", "--out", "joint");
    const exchange = path.join(folder, "joint", "exchange");
    const clients = CLIENTS.flatMap((name) => ["--client", name]);
    const members = startIn(site, env, "participate", "joint.yaml", "--exchange", exchange, "--out", "own", ...clients);
    expect((await members.ended).stderr).not.toContain("error:");
    expect((await coordinator.ended).code).toBe(0);
    for (const out of ["joint", "site/own"]) expect(adapterHash(out, "adapter")).toBe(adapterHash("second", "adapter"));
    const { settings } = json("joint", "exchange", "cells", "manifest.json");
    expect(settings.adapter).toBe(adapterHash("first", "adapter"));
  }, 120_000);

  test.runIf(natsProgram !== undefined)(
    "rehearsed over a network, with preferences, it ends with the adapter of run (skipped where there is no nats-server)",
    async () => {
      const { ended } = startIn(folder, env, "rehearse", "dpo.yaml", "--out", "rehearsed");
      const { code, output } = await ended;
      expect(code, output).toBe(0);
      expect(output).toContain(`- from the adapter ${adapterHash("first", "adapter").slice(0, 12)}…: verified`);
      for (const out of ["run", "sites/apples/runs/run"])
        expect(adapterHash("rehearsed", out, "adapter")).toBe(adapterHash("dpo", "adapter"));
    },
    240_000,
  );

  test("a member takes no run that began with another one", async () => {
    const store = memoryStore();
    const file = path.join(folder, "first", "adapter", "adapter_model.safetensors");
    await beginRun(store, algorithmOf("fedavg"), decodeSafetensors(readFileSync(file), file), "a run");
    const member = (startsFrom: string): Participant =>
      new Participant({ store, client: "apples", startsFrom, algorithm: algorithmOf("fedavg") } as never);
    await expect(member("f00d".repeat(16)).act()).rejects.toMatchObject({
      kind: "config",
      message: expect.stringMatching(
        /began with the adapter [0-9a-f]{12}…, and its settings name f00df00df00d…/,
      ) as string,
    });
    expect(await member(adapterHash("first", "adapter")).act()).toBe("idle");
  });
});
