import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { EXIT_CODES } from "../src/diagnostics/user-error.ts";
import { cliIn } from "./support/cli.ts";
import { writeTinyData, writeTinyModel } from "./support/tiny-model.ts";

const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-tune-"));
const at = (...names: string[]): string => path.join(folder, ...names);
const cli = cliIn(folder, { ...process.env, OPENFEDLLM_CACHE: at("cache"), NO_COLOR: "1" });

const SWEEP = {
  experiment: {
    model: { base: "model" },
    adapter: { rank: 4, alpha: 8 },
    data: {
      maxLength: 128,
      heldOutRecords: 6,
      clients: ["apples", "bolts"].map((name) => ({ name, train: `${name}.jsonl` })),
    },
    training: { batchSize: 4, localSteps: 2, minLearningRate: 0 },
    federation: { rounds: 1 },
    runtime: { threads: 1 },
  },
  // This model learns at the second rate; the third ruins it.
  tune: { grid: { "training.learningRate": [1e-7, 1e-2, 30] } },
  runs: [
    { name: "fedavg" },
    {
      name: "local",
      set: { "federation.algorithm": "local" },
      tune: { "training.learningRate": [1e-7, 1e-2] },
    },
  ],
  seeds: [5, 6],
};

beforeAll(() => {
  writeTinyModel(at("model"));
  for (const name of ["apples", "bolts"]) writeTinyData(at(`${name}.jsonl`), name, 24);
  writeFileSync(at("claim.yaml"), stringify(SWEEP));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const json = (...names: string[]) => JSON.parse(readFileSync(at(...names), "utf8"));

describe("a sweep that tunes", () => {
  test("chooses on the validation part, runs the seeds on the test part, and goes on where it was stopped", () => {
    const listed = cli("sweep", "claim.yaml", "--list", "--json").stdout.trim().split("\n");
    expect(listed.map((line) => JSON.parse(line) as object)).toMatchObject([
      { name: "fedavg", seed: 5, tuning: { "training.learningRate": 1e-7 }, state: "new" },
      { tuning: { "training.learningRate": 1e-2 } },
      { tuning: { "training.learningRate": 30 } },
      { name: "fedavg", seed: 5, state: "waiting" },
      { name: "fedavg", seed: 6, state: "waiting" },
      { name: "local", state: "new" },
      { name: "local", state: "new" },
      { name: "local", state: "waiting" },
      { name: "local", state: "waiting" },
    ]);

    const first = cli("sweep", "claim.yaml", "--only", "fedavg");
    expect(first.stderr).toContain("run 1 of 5: tuning/fedavg-1e-7");
    expect(first.stderr).toMatch(/tuned fedavg: training\.learningRate 0\.01 \(validation loss \d/);
    expect(first.status).toBe(0);
    // Half of the six held-out records of each client, and the other half; the same ones with every seed.
    const sets = (...names: string[]) => json("runs", "claim", ...names, "metrics.json").rounds[0].heldOut;
    expect(sets("fedavg-seed5").apples.records).toBe(3);
    expect(sets("tuning", "fedavg-1e-2").apples.records).toBe(3);
    expect(sets("tuning", "fedavg-1e-2").apples.loss).not.toBe(sets("fedavg-seed5").apples.loss);
    expect(sets("fedavg-seed6").apples.loss).toBe(sets("fedavg-seed5").apples.loss);
    expect(json("runs", "claim", "fedavg-seed6", "config.json").config).toMatchObject({
      seed: 6,
      data: { seed: 5 },
      training: { learningRate: 1e-2 },
      evaluation: { part: "test", validation: 0.5 },
    });

    const second = cli("sweep", "claim.yaml");
    expect(second.stderr).toContain("5 of 9 runs already finished");
    expect(second.stderr).toMatch(/run 6 of 9: tuning\/local-1e-7, about .* left/);
    expect(second.status).toBe(0);
    for (const text of [second.stdout, readFileSync(at("runs", "claim", "comparison", "comparison.md"), "utf8")]) {
      expect(text).toMatch(/uning: loss on the validation part, by training\.learningRate/);
      expect(text).toMatch(/ifference from fedavg/);
    }
    const page = readFileSync(at("runs", "claim", "comparison", "comparison.html"), "utf8");
    expect(page).toContain("Tuning: loss on the validation part");
    expect(page).not.toContain("was not tuned");
  }, 900_000);

  test("is compared later by its names, with its grid, and as JSON", () => {
    const { stdout } = cli("compare", "runs/claim");
    expect(stdout).toMatch(/^run +runs/m);
    expect(stdout).toMatch(/^run +1e-7 +1e-2 +3e1$/m);
    expect(stdout).toMatch(/^fedavg +\d\.\d{3} +\*\d\.\d{3} +\S+$/m);
    const document = JSON.parse(cli("compare", "runs/claim", "--json").stdout);
    expect(document.rows.map(({ row }: { row: string }) => row)).toEqual(["fedavg", "local"]);
    expect(document.tuning.methods).toMatchObject([
      { name: "fedavg", chosen: 1 },
      { name: "local", chosen: 1 },
    ]);
    const [difference] = document.differences;
    expect(difference).toMatchObject({ row: "local", from: "fedavg", metric: "loss", differences: { own: { n: 2 } } });
    const { value, low, high } = difference.differences.own;
    expect(low <= value && value <= high).toBe(true);
    const mean = ({ figures }: { figures: { loss: { own: { mean: number } } } }): number => figures.loss.own.mean;
    expect(value).toBeCloseTo(mean(document.rows[1]) - mean(document.rows[0]), 12);
  });

  test("takes settings from the command line, but not one that it tunes", () => {
    const list = cli("sweep", "claim.yaml", "--set", "training.localSteps=7", "--list");
    expect(list.stdout).toContain("cannot continue: it holds another run: training.localSteps");
    const refused = cli("sweep", "claim.yaml", "--set", "training.learningRate=1", "--list");
    expect(refused.status).toBe(EXIT_CODES.config);
    expect(refused.stderr).toContain(
      "claim.yaml, run fedavg: training.learningRate is tuned, and --set gives it a value",
    );
  });
});
