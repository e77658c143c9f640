import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { cliIn, killedAfterEvents, startRun } from "./support/cli.ts";
import { adapterHash as hashOf } from "./support/experiment.ts";
import { writeTinyData, writeTinyModel } from "./support/tiny-model.ts";

const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-lengthen-"));
const env = { ...process.env, OPENFEDLLM_CACHE: path.join(folder, "cache"), NO_COLOR: "1" };
const cli = cliIn(folder, env);
const CLIENTS = ["apples", "bolts", "candles"];

function config(federation: object, changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    model: { base: "model" },
    adapter: { rank: 4, alpha: 8, dropout: 0.1, targets: "all-linear" },
    data: {
      maxLength: 128,
      clients: CLIENTS.map((name) => ({ name, train: `${name}.jsonl`, heldOut: `${name}.heldout.jsonl` })),
    },
    training: { batchSize: 4, localSteps: 2, learningRate: 5e-3, schedule: "constant" },
    federation: { clientsPerRound: 2, ...federation },
    evaluation: { every: 1 },
    ...changes,
  };
}

function write(name: string, value: unknown): string {
  writeFileSync(path.join(folder, name), stringify(value));
  return name;
}

/** Runs a configuration, and expects it to end well. */
function run(out: string, file: string, ...more: string[]): string {
  const { status, stdout, stderr } = cli("run", file, "--out", out, ...more);
  expect(stderr).not.toContain("error:");
  expect(status).toBe(0);
  return stderr + stdout;
}

const rounds = (count: number): string[] => ["--set", `federation.rounds=${count}`];
const adapterHash = (out: string): string => hashOf(folder, out, "adapter");
const json = (...at: string[]): any => JSON.parse(readFileSync(path.join(folder, ...at), "utf8"));

/** Held-out losses by round, without seconds. */
function losses(out: string): unknown {
  return json(out, "metrics.json").rounds.map((round: any) => [
    round.round,
    round.learningRate,
    round.loss,
    Object.entries(round.heldOut).map(([set, score]: any) => [set, score.loss]),
  ]);
}

beforeAll(() => {
  writeTinyModel(path.join(folder, "model"));
  for (const [i, name] of CLIENTS.entries()) {
    writeTinyData(path.join(folder, `${name}.jsonl`), name, 12 + 5 * i);
    writeTinyData(path.join(folder, `${name}.heldout.jsonl`), `${name} spare`, 4);
  }
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("a finished run with more rounds", () => {
  test.each(["scaffold", "local"])("of %s goes on, and ends as one that had them from the start", (algorithm) => {
    const file = write(`${algorithm}.yaml`, config({ algorithm, rounds: 2 }));
    const short = `${algorithm}-short`;
    run(short, file);
    const said = run(short, file, ...rounds(4));
    expect(said).toContain("note: the run is lengthened from 2 to 4 rounds\n");
    run(`${algorithm}-whole`, file, ...rounds(4));
    if (algorithm === "local") {
      for (const name of CLIENTS) {
        const at = ["client-adapters", name] as const;
        expect(hashOf(folder, short, ...at)).toBe(hashOf(folder, `${algorithm}-whole`, ...at));
      }
    } else expect(adapterHash(short)).toBe(adapterHash(`${algorithm}-whole`));
    expect(losses(short)).toEqual(losses(`${algorithm}-whole`));
    expect(json(short, "metrics.json").summary.rounds).toBe(4);
    // What it now holds is asked for by the new number only.
    const shorter = cli("run", file, "--out", short);
    expect(shorter.status).toBe(2);
    expect(shorter.stderr).toContain("federation.rounds was 4, is 2");
  });

  test("and a learning rate that depends on their number says so, and takes the rates of the new length", () => {
    const training = { batchSize: 4, localSteps: 2, learningRate: 5e-3, schedule: "cosine" };
    const file = write("cosine.yaml", config({ rounds: 2 }, { training }));
    run("cosine", file);
    expect(run("cosine", file, ...rounds(4))).toContain(
      "note: the run is lengthened from 2 to 4 rounds; its first 2 had the learning rates of 2 rounds (cosine), so the result is not that of 4 rounds from the start\n",
    );
    run("cosine-whole", file, ...rounds(4));
    const rates = (out: string): number[] => json(out, "metrics.json").rounds.map((round: any) => round.learningRate);
    const whole = rates("cosine-whole");
    expect(rates("cosine").slice(3)).toEqual(whole.slice(3));
    expect(rates("cosine")[2]).not.toBe(whole[2]);
    expect(adapterHash("cosine")).not.toBe(adapterHash("cosine-whole"));
    expect(json("cosine", "config.json").lengths).toEqual([2]);
    expect(readFileSync(path.join(folder, "cosine", "report.html"), "utf8")).toContain(
      "The run was lengthened from 2 to 4 rounds",
    );
    expect(readFileSync(path.join(folder, "cosine-whole", "report.html"), "utf8")).not.toContain("was lengthened");
  });

  test("may be killed while it goes on, be lengthened twice, and keeps the best of all rounds", async () => {
    const file = write(
      "best.yaml",
      config({ rounds: 1 }, { evaluation: { every: 1, best: { metric: "loss" } }, output: { saveEvery: 1 } }),
    );
    run("best", file);
    const child = startRun(folder, env, file, "--out", "best", ...rounds(3));
    await killedAfterEvents(child, 12);
    run("best", file, ...rounds(3));
    run("best", file, ...rounds(4));
    run("best-whole", file, ...rounds(4));
    expect(adapterHash("best")).toBe(adapterHash("best-whole"));
    expect(hashOf(folder, "best", "best")).toBe(hashOf(folder, "best-whole", "best"));
    expect(losses("best")).toEqual(losses("best-whole"));
    expect(json("best", "config.json").lengths).toEqual([1, 3]);
  });

  test("is not one that parties agreed to", () => {
    const file = write("parties.yaml", config({ rounds: 2 }));
    run("parties", file);
    const { status, stderr } = cli("coordinate", file, "--out", "parties", ...rounds(4));
    expect(status).toBe(2);
    expect(stderr).toMatch(/federation\.rounds was 2, is 4: the parties of this run agreed to 2 rounds/);
  });

  test("goes on in a sweep", () => {
    const content = { experiment: config({ rounds: 1 }), runs: [{ name: "plain", set: {} }] };
    write("some.sweep.yaml", content);
    expect(cli("sweep", "some.sweep.yaml", "--out", "swept").status).toBe(0);
    const { status, stderr } = cli("sweep", "some.sweep.yaml", "--out", "swept", ...rounds(2));
    expect(stderr).toContain("lengthened from 1 to 2 rounds");
    expect(status).toBe(0);
    expect(json("swept", "plain-seed42", "metrics.json").summary.rounds).toBe(2);
  });
});

describe("the same clients in another order", () => {
  const turned = (federation: object): Record<string, unknown> => {
    const { data, ...others } = config(federation) as { data: { clients: unknown[] } };
    return { ...others, data: { ...data, clients: data.clients.toReversed() } };
  };

  test("go on, in the order that they had", () => {
    run("order", write("order.yaml", config({ rounds: 2 })));
    const before = readFileSync(path.join(folder, "order", "events.jsonl"), "utf8");
    run("order", write("turned.yaml", turned({ rounds: 2 })));
    expect(readFileSync(path.join(folder, "order", "events.jsonl"), "utf8")).toBe(before);
    run("order", "turned.yaml", ...rounds(3));
    run("order-whole", "order.yaml", ...rounds(3));
    run("turned-whole", "turned.yaml", ...rounds(3));
    expect(adapterHash("order")).toBe(adapterHash("order-whole"));
    // The order changes tables, and no bytes.
    expect(adapterHash("turned-whole")).toBe(adapterHash("order-whole"));
    expect(losses("order")).toEqual(losses("order-whole"));
  });

  test("are another run where their records are pooled in this order", () => {
    run("pooled", write("pooled.yaml", config({ algorithm: "centralized", rounds: 1 })));
    const { status, stderr } = cli(
      "run",
      write("p.yaml", turned({ algorithm: "centralized", rounds: 1 })),
      "--out",
      "pooled",
    );
    expect(status).toBe(2);
    expect(stderr).toContain(
      "data.clients was in the order apples, bolts, candles, is candles, bolts, apples, and centralized pools the records in this order",
    );
  });
});
