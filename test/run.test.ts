import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { afterEvents, cliIn, eventsOf, killedAfterEvents, startRun } from "./support/cli.ts";
import { adapterHash as hashOf } from "./support/experiment.ts";
import { writeTinyData, writeTinyModel } from "./support/tiny-model.ts";

const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-run-"));
const env = { ...process.env, OPENFEDLLM_CACHE: path.join(folder, "cache"), NO_COLOR: "1" };

const CLIENTS = ["apples", "bolts", "candles"];

function config(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    model: { base: "model" },
    adapter: { rank: 4, alpha: 8, dropout: 0.1, targets: "all-linear" },
    data: {
      maxLength: 128,
      clients: CLIENTS.map((name) => ({ name, train: `${name}.jsonl`, heldOut: `${name}.heldout.jsonl` })),
    },
    training: { batchSize: 4, localSteps: 3, learningRate: 5e-3 },
    federation: { rounds: 3, clientsPerRound: 2 },
    evaluation: { every: 1, prompts: ["What is apples item 1?"], maxNewTokens: 4 },
    ...changes,
  };
}

function write(name: string, value: unknown): string {
  const file = path.join(folder, name);
  writeFileSync(file, stringify(value));
  return file;
}

const cli = cliIn(folder, env);
const adapterHash = (run: string): string => hashOf(folder, run, "adapter");
const events = (run: string): string[] => eventsOf(path.join(folder, run));

beforeAll(() => {
  writeTinyModel(path.join(folder, "model"));
  for (const [i, name] of CLIENTS.entries()) {
    writeTinyData(path.join(folder, `${name}.jsonl`), name, 12 + 5 * i);
    writeTinyData(path.join(folder, `${name}.heldout.jsonl`), `${name} spare`, 4);
  }
  write("experiment.yaml", config());
  const { status, stderr } = cli("run", "experiment.yaml", "--out", "first");
  expect(stderr).not.toContain("error");
  expect(status).toBe(0);
}, 120_000);

describe("openfedllm run", () => {
  test("leaves a run folder with everything in it", () => {
    const metrics = JSON.parse(readFileSync(path.join(folder, "first", "metrics.json"), "utf8"));
    expect(metrics.rounds.map(({ round }: { round: number }) => round)).toEqual([0, 1, 2, 3]);
    for (const round of metrics.rounds.slice(1)) {
      expect(Object.keys(round.clients)).toHaveLength(2);
      for (const client of Object.values(round.clients) as Record<string, number>[]) {
        expect(client["bytesUp"]).toBeGreaterThan(1000);
        expect(client["supervisedTokens"]).toBeGreaterThan(0);
      }
      expect(Object.keys(round.heldOut).sort()).toEqual(CLIENTS);
    }
    expect(metrics.summary.adapter).toBe(adapterHash("first"));
    for (const { before, after } of metrics.summary.heldOut) expect(after).toBeLessThan(before);
    expect(metrics.summary.answers).toHaveLength(1);
    const saved = JSON.parse(
      readFileSync(path.join(folder, "first", "adapters", "round-0000", "adapter_config.json"), "utf8"),
    );
    expect(saved).toMatchObject({ peft_type: "LORA", r: 4, lora_alpha: 8 });
  });

  test("writes events that name every record of every step", () => {
    const steps = readFileSync(path.join(folder, "first", "events.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line))
      .filter(({ type }) => type === "client-step");
    expect(steps).toHaveLength(3 * 2 * 3);
    for (const step of steps) {
      expect(step.records).toHaveLength(4);
      for (const id of step.records) expect(id).toMatch(new RegExp(`^${step.client}\\.jsonl#\\d+$`));
      expect(step.learningRate).toBeGreaterThan(0);
      expect(step.gradientNorm).toBeGreaterThan(0);
    }
  });

  test.each(["1", "2"])("gives the same adapter again, with %s threads", (threads) => {
    expect(
      cli("run", "experiment.yaml", "--out", `threads-${threads}`, "--set", `runtime.threads=${threads}`).status,
    ).toBe(0);
    expect(adapterHash(`threads-${threads}`)).toBe(adapterHash("first"));
  });

  test("gives another adapter with another seed", () => {
    expect(cli("run", "experiment.yaml", "--out", "seed", "--set", "seed=7").status).toBe(0);
    expect(adapterHash("seed")).not.toBe(adapterHash("first"));
  });

  test("a finished run runs again in no time and changes nothing", () => {
    const before = readFileSync(path.join(folder, "first", "events.jsonl"), "utf8");
    expect(cli("run", "experiment.yaml", "--out", "first").status).toBe(0);
    expect(readFileSync(path.join(folder, "first", "events.jsonl"), "utf8")).toBe(before);
  });

  test("refuses a run folder with another configuration, and names the setting", () => {
    const { status, stderr } = cli("run", "experiment.yaml", "--out", "first", "--set", "training.learningRate=1e-4");
    expect(status).toBe(2);
    expect(stderr).toContain("training.learningRate was 0.005, is 0.0001");
    expect(adapterHash("first")).toBe(
      JSON.parse(readFileSync(path.join(folder, "first", "metrics.json"), "utf8")).summary.adapter,
    );
  });

  test("killed ten times at random, it ends with the same adapter and the same events", async () => {
    const more = config({ federation: { rounds: 6, clientsPerRound: 2 } });
    write("long.yaml", more);
    expect(cli("run", "long.yaml", "--out", "undisturbed").status).toBe(0);
    let kills = 0;
    for (let seed = 1; kills < 10 && seed < 60; seed++) {
      const child = startRun(folder, env, "long.yaml", "--out", "killed");
      if (await killedAfterEvents(child, 8 + ((seed * 7919) % 17))) kills++;
      else break;
    }
    expect(kills).toBeGreaterThanOrEqual(4);
    expect(cli("run", "long.yaml", "--out", "killed").status).toBe(0);
    expect(adapterHash("killed")).toBe(adapterHash("undisturbed"));
    expect(events("killed")).toEqual(events("undisturbed"));
  }, 180_000);

  test("Ctrl-C stops after the step with exit code 130; the same command goes on", async () => {
    const child = startRun(folder, env, "long.yaml", "--out", "interrupted");
    let stderr = "";
    child.stderr!.on("data", (chunk: Buffer) => (stderr += String(chunk)));
    await afterEvents(child, 12);
    child.kill("SIGINT");
    const code = await new Promise((resolve) => child.on("exit", resolve));
    expect(code).toBe(130);
    expect(stderr).toMatch(/run the same command again/i);
    expect(cli("run", "long.yaml", "--out", "interrupted").status).toBe(0);
    expect(adapterHash("interrupted")).toBe(adapterHash("undisturbed"));
  }, 60_000);
});
