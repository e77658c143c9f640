import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { cliIn } from "./support/cli.ts";
import { adapterHash } from "./support/experiment.ts";
import { writeTinyData, writeTinyModel } from "./support/tiny-model.ts";

const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-robust-"));
const env = { ...process.env, OPENFEDLLM_CACHE: path.join(folder, "cache"), NO_COLOR: "1" };
const cli = cliIn(folder, env);
const CLIENTS = ["apples", "bolts", "candles", "drums", "eggs"];

const run = (out: string, ...sets: string[]) =>
  cli("run", "experiment.yaml", "--out", out, ...sets.flatMap((set) => ["--set", set]));
const metricsOf = (out: string) => JSON.parse(readFileSync(path.join(folder, out, "metrics.json"), "utf8"));

beforeAll(() => {
  writeTinyModel(path.join(folder, "model"));
  for (const name of CLIENTS) writeTinyData(path.join(folder, `${name}.jsonl`), name, 8);
  writeTinyData(path.join(folder, "root.jsonl"), "trusted", 8);
  const config = {
    model: { base: "model" },
    adapter: { rank: 2, alpha: 4, targets: "all-linear" },
    data: { maxLength: 96, clients: CLIENTS.map((name) => ({ name, train: `${name}.jsonl` })) },
    training: { batchSize: 4, localSteps: 1, learningRate: 5e-3 },
    federation: { rounds: 2 },
    runtime: { threads: 1 },
  };
  writeFileSync(path.join(folder, "experiment.yaml"), stringify(config));
  const more = ["figs", "gates", "hats", "inks"];
  for (const name of more) writeTinyData(path.join(folder, `${name}.jsonl`), name, 6);
  const nine = [...CLIENTS, ...more].map((name) => ({ name, train: `${name}.jsonl` }));
  const secure = { ...config, data: { ...config.data, clients: nine }, secureAggregation: { minCohort: 3 } };
  writeFileSync(path.join(folder, "secure.yaml"), stringify(secure));
});

describe("openfedllm run", () => {
  test("with an attack and a rule names who is hostile and who was cut", () => {
    const attack = ["data.attack.name=signFlip", "data.attack.clients=[drums]", "data.attack.factor=8"];
    const { status, stdout, stderr } = run("cut", ...attack, "federation.aggregator=multiKrum");
    expect(stderr).not.toContain("error");
    expect(status).toBe(0);
    expect(stdout + stderr).toContain("hostile clients are drums");
    expect(stdout + stderr).toContain("round 1 gives no weight to drums");
    const { rounds } = metricsOf("cut");
    expect(rounds[1].weights.drums).toEqual({ weight: 0 });
    expect(rounds[1].weights.apples.weight).toBeCloseTo(1.25, 9);
  });

  test("with fltrust trains on the records that the coordinator trusts, the same each time", () => {
    const settings = ["federation.aggregator=fltrust", "data.root=root.jsonl"];
    for (const out of ["trusted", "again"]) expect(run(out, ...settings).status).toBe(0);
    expect(adapterHash(folder, "trusted", "adapter")).toBe(adapterHash(folder, "again", "adapter"));
    expect(Object.keys(metricsOf("trusted").rounds[1].weights)).toHaveLength(5);
  });

  test.each([
    [["federation.aggregator=fltrust"], "federation.aggregator is fltrust, and data.root is missing"],
    [["federation.aggregator=bulyan"], "federation.aggregator: bulyan with f 1 needs 7 updates, and a round has 5"],
    [["data.attack.name=alie", "data.attack.clients=[drum]"], "Did you mean 'drums'?"],
    [["data.attack.name=labelflip"], "Did you mean 'labelFlip'?"],
    [["data.attack.name=alie", "data.attack.share=0"], "data.attack.share is 0, expected number > 0, < 1"],
    [
      ["data.attack.name=alie", "data.attack.clients=[drums]", "data.attack.share=0.5"],
      "give either data.attack.clients or data.attack.share, got both",
    ],
    [
      ["data.attack.name=alie", "federation.mode=async", "federation.bufferSize=2"],
      "data.attack and federation.mode async exclude each other",
    ],
  ])("refuses %o", (sets, message) => {
    const { status, stderr } = run(`refused-${sets.join().replaceAll(/\W/g, "-")}`, ...sets);
    expect(stderr).toContain(message);
    expect(status).toBeGreaterThan(1);
  });
});

describe("a rule over secure aggregation", () => {
  const secure = (out: string, ...sets: string[]) =>
    cli("run", "secure.yaml", "--out", out, ...sets.flatMap((set) => ["--set", set]));

  test("sees the means of buckets, and the run repeats its bytes", () => {
    const settings = ["federation.aggregator=median", "federation.buckets=3", "federation.rounds=1"];
    for (const out of ["buckets", "buckets-again"]) {
      const { status, stderr } = secure(out, ...settings);
      expect(stderr).not.toContain("error");
      expect(status).toBe(0);
    }
    expect(adapterHash(folder, "buckets", "adapter")).toBe(adapterHash(folder, "buckets-again", "adapter"));
    const { weights } = metricsOf("buckets").rounds[1];
    expect(Object.keys(weights)).toHaveLength(9);
  });

  test("is refused without buckets, and with buckets that are too small", () => {
    expect(secure("no-buckets", "federation.aggregator=median").stderr).toContain("the coordinator sees only the sum");
    const { stderr } = secure("small-buckets", "federation.aggregator=median", "federation.buckets=4");
    expect(stderr).toContain("federation.buckets is 4: of 9 clients, a bucket has 2");
  });
});

test("parties of a federation refuse an attack: it is for simulations", () => {
  const { status, stderr } = cli(
    "coordinate",
    "experiment.yaml",
    "--out",
    "parties",
    "--set",
    "data.attack.name=labelFlip",
  );
  expect(stderr).toContain("data.attack is for simulations");
  expect(status).toBe(2);
});
