import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cliIn } from "./support/cli.ts";
import { writeTinyData, writeTinyModel } from "./support/tiny-model.ts";

const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-privacy-report-"));
const openfedllm = cliIn(folder, { ...process.env, OPENFEDLLM_CACHE: path.join(folder, "cache"), NO_COLOR: "1" });
const at = (...parts: string[]): string => path.join(folder, ...parts);
const read = (...parts: string[]): string => readFileSync(at(...parts), "utf8");

const CLIENTS = ["apples", "bolts", "c|s"];

beforeAll(() => {
  writeTinyModel(at("model"));
  for (const [i, name] of CLIENTS.entries()) writeTinyData(at(`${i}.jsonl`), name, 8);
  const config = {
    model: { base: "model" },
    adapter: { rank: 2, alpha: 4 },
    data: { maxLength: 128, clients: CLIENTS.map((name, i) => ({ name, train: `${i}.jsonl` })) },
    training: { batchSize: 4, localSteps: 1 },
    federation: { rounds: 3, clientsPerRound: 2 },
  };
  writeFileSync(at("open.json"), JSON.stringify(config));
  writeFileSync(at("private.json"), JSON.stringify({ ...config, privacy: { client: { epsilon: 6, delta: 0.01 } } }));
  expect(openfedllm("run", "private.json", "--out", "run").status).toBe(0);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("privacy report", () => {
  it("says what each client has spent, as the run's own events do", () => {
    const { stdout, stderr } = openfedllm("privacy", "report", "run");
    expect(stderr).toBe("");
    expect(stdout).toBe(`${path.join("run", "privacy.html")}\n${path.join("run", "privacy.md")}\n`);
    const report = read("run", "privacy.md");
    const spent = new Map<string, number>();
    for (const line of read("run", "events.jsonl").trim().split("\n")) {
      const event = JSON.parse(line) as { type: string; clients: { client: string; epsilon: number }[] };
      if (event.type !== "privacy-spent") continue;
      for (const { client, epsilon } of event.clients) spent.set(client, epsilon);
    }
    expect(spent.size).toBe(3);
    for (const [client, epsilon] of spent) {
      expect(report).toMatch(
        new RegExp(
          `\\| ${client.replace("|", String.raw`\\\|`)} \\| 2 \\| [\\d.]+ \\| ${epsilon.toFixed(2)} \\| 6 \\| 0 \\|`,
        ),
      );
    }
    expect(report).toContain("ε = 6.00 at δ = 0.01 for the client that spent most, of a budget of ε = 6");
    expect(report).toContain("| budget of each client | ε 6 at δ 0.01 |");
    expect(report).toMatch(/right in at most \d\d% of cases/);
  });

  it("says the same as a page in one file, which is the same every time", () => {
    openfedllm("privacy", "report", "run");
    const page = read("run", "privacy.html");
    for (const title of ["What each client is promised", "What it rests on", "What is not covered", "Signatures"]) {
      expect(page).toContain(`>${title}</h2>`);
    }
    expect(page).toContain("c|s");
    expect(page).not.toMatch(/https?:\/\//);
    openfedllm("privacy", "report", "run");
    expect(read("run", "privacy.html")).toBe(page);
  });

  it("never tells the key of the noise", () => {
    openfedllm("privacy", "report", "run");
    const key = JSON.parse(read("run", "private", "cells", "secret-key.json")) as string;
    expect(key).toMatch(/^[\da-f]{64}$/);
    for (const file of ["privacy.html", "privacy.md", "events.jsonl", "metrics.json", "config.json"]) {
      expect(read("run", file)).not.toContain(key);
    }
  });

  it("says what records were promised, and what each client's own ledger has", () => {
    const record = JSON.parse(read("open.json")) as { training: object };
    const privacy = { record: { epsilon: 8, delta: 0.01 } };
    writeFileSync(at("record.json"), JSON.stringify({ ...record, privacy, federation: { rounds: 1 } }));
    const planned = openfedllm("privacy", "plan", "record.json", "--json");
    const { records } = JSON.parse(planned.stdout) as {
      records: { client: string; noiseMultiplier: number; steps: number }[];
    };
    expect(records.map(({ client, steps }) => [client, steps])).toEqual(CLIENTS.map((client) => [client, 1]));
    expect(openfedllm("run", "record.json", "--out", "record").status).toBe(0);
    expect(openfedllm("privacy", "report", "record").status).toBe(0);
    const report = read("record", "privacy.md");
    const z = String(Number(records[0]!.noiseMultiplier.toPrecision(3)));
    expect(report).toContain(`| apples | 0.5 | 1 | ${z} | 1 | 8.00 | 8 | 0.01 |`);
    expect(report).toContain("A client as a whole. The figures protect single records");
    expect(report).not.toContain("What each client is promised");
  });

  it("refuses a ledger from which a charge is gone", () => {
    cpSync(at("run"), at("torn"), { recursive: true });
    rmSync(at("torn", "private", "cells", "ledger", "apples"), { recursive: true });
    const { stderr, status } = openfedllm("privacy", "report", "torn");
    expect(status).toBe(5);
    expect(stderr).toMatch(/has no charge of client apples for round \d, and it was asked to train/);
  });

  it("refuses a run that promised nothing", () => {
    expect(openfedllm("run", "open.json", "--out", "open", "--set", "federation.rounds=1").status).toBe(0);
    const { stderr, status } = openfedllm("privacy", "report", "open");
    expect(status).toBe(2);
    expect(stderr).toContain(
      "The run in open has neither privacy.client nor privacy.record: nothing was promised to anybody.",
    );
  });
});
