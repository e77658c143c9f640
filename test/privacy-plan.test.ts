import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cliIn } from "./support/cli.ts";
import { writeTinyModel } from "./support/tiny-model.ts";

let folder: string;
let openfedllm: ReturnType<typeof cliIn>;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "openfedllm-privacy-plan-"));
  openfedllm = cliIn(folder, { PATH: process.env["PATH"], OPENFEDLLM_CACHE: path.join(folder, "cache") });
  writeTinyModel(path.join(folder, "model"));
  const config = {
    model: { base: "model" },
    data: { train: "not-read.jsonl" },
    federation: { rounds: 20, clients: 40, clientsPerRound: 10 },
  };
  writeFileSync(path.join(folder, "run.json"), JSON.stringify(config));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Planned {
  length: number;
  delta: number;
  participations: number;
  noiseToSignal: number;
  course: { round: number; epsilon: number }[];
  adapters: { what: string; length: number }[];
}

describe("privacy plan", () => {
  it("plans a configuration without reading a record", () => {
    const { stdout, status } = openfedllm("privacy", "plan", "run.json", "--json");
    expect(status).toBe(0);
    const plan = JSON.parse(stdout) as Planned;
    expect(plan).toMatchObject({
      clients: 40,
      perRound: 10,
      rounds: 20,
      participations: 5,
      delta: 1 / 400,
      epsilon: 8,
    });
    expect(plan.course.at(-1)!.round).toBe(20);
    expect(plan.course.at(-1)!.epsilon).toBeCloseTo(8, 5);
    const lengths = plan.adapters.map(({ length }) => length);
    expect(plan.length).toBe(lengths[0]);
    expect(Math.max(...lengths)).toBe(plan.length);
  });

  it("takes the budget and the noise of privacy.client", () => {
    const set = ["--set", "privacy.client.epsilon=3", "--set", "privacy.client.noiseMultiplier=5"];
    const { stdout } = openfedllm("privacy", "plan", "run.json", ...set, "--json");
    expect(JSON.parse(stdout)).toMatchObject({ epsilon: 3, noiseMultiplier: 5 });
    const { stdout: changed } = openfedllm("privacy", "plan", "run.json", ...set, "--noise", "6", "--json");
    expect(JSON.parse(changed)).toMatchObject({ epsilon: 3, noiseMultiplier: 6 });
  });

  it("says in words how large the noise is, and what would help", () => {
    const { stdout } = openfedllm("privacy", "plan", "run.json", "--epsilon", "2");
    expect(stdout).toContain("budget      ε 2 at δ 0.0025 for each client");
    expect(stdout).toMatch(/the noise on the mean is [\d.,]+ times as long as the mean can be/);
    expect(stdout).toContain("A frozen (federation.factors: ffa)");
    expect(stdout).toContain("secret coins, Rényi accounting");
    expect(stdout).toContain("note: A round is mostly noise");
  });

  it("needs no configuration, and warns of a budget that ends before the rounds do", () => {
    const flags = ["--clients", "1000", "--per-round", "500", "--rounds", "40", "--dimension", "1000"];
    const { stdout } = openfedllm("privacy", "plan", ...flags, "--noise", "1", "--epsilon", "3");
    expect(stdout).toContain("more than the budget of 3");
    expect(stdout).not.toContain("mostly noise");
    expect(stdout).toContain("A round moves the model more than the noise does");
    const { stderr, status } = openfedllm("privacy", "plan", "--clients", "5");
    expect(status).toBe(2);
    expect(stderr).toContain("A plan needs --rounds, and no configuration gives it.");
  });

  it("refuses a round of more clients than there are", () => {
    const flags = ["--clients", "10", "--per-round", "20", "--rounds", "5", "--dimension", "100"];
    const { stderr, status } = openfedllm("privacy", "plan", ...flags);
    expect(status).toBe(2);
    expect(stderr).toContain("A round of 20 clients needs as many in all, and there are 10.");
  });

  it("refuses a delta with which one client may be published", () => {
    const { stderr, status } = openfedllm("privacy", "plan", "run.json", "--clients", "20", "--delta", "0.05");
    expect(status).toBe(2);
    expect(stderr).toContain("privacy.client.delta is 0.05; with 20 clients it must be below 0.05");
  });
});
