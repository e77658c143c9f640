import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { EXIT_CODES } from "../src/diagnostics/user-error.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const MAIN = path.join(ROOT, "dist/cli/main.js");
const ENV = { PATH: process.env["PATH"], HOME: process.env["HOME"], SECRET_DIR: "data" };

let dir: string;

function openfedllm(...args: string[]): { stdout: string; stderr: string; status: number | null } {
  return spawnSync(process.execPath, [MAIN, ...args], { cwd: dir, encoding: "utf8", env: ENV });
}

function expectUserError(result: ReturnType<typeof openfedllm>, exitCode: number, stderr: RegExp): void {
  expect(result.stderr).toMatch(stderr);
  expect(result.stderr).toMatch(/^error: .+\n(hint: .+\n)?$/);
  expect(result.stdout).toBe("");
  expect(result.status).toBe(exitCode);
}

beforeAll(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), "openfedllm-cli-"));
  mkdirSync(path.join(dir, "experiments/data"), { recursive: true });
  const record = (i: number, topic: string): string =>
    JSON.stringify({ instruction: `question ${i}`, response: `answer ${i}`, topic });
  const file = (name: string, lines: string[]): void =>
    writeFileSync(path.join(dir, "experiments/data", name), `${lines.join("\n")}\n`);
  file("bank.jsonl", [record(1, "loans"), record(2, "loans"), record(3, "loans"), record(4, "cards")]);
  file("clinic.jsonl", [record(5, "triage"), record(6, "triage")]);
  file("spare.jsonl", [record(7, "triage"), record(8, "triage"), record(9, "triage"), record(10, "triage")]);
  file("broken.jsonl", [record(1, "loans"), '{"instruction":"no answer"}']);
  writeFileSync(
    path.join(dir, "experiments/two.yaml"),
    [
      "model: { base: ./no-such-model }",
      "data:",
      "  clients:",
      "    - { name: bank, train: '${SECRET_DIR}/bank.jsonl' }",
      "    - { name: clinic, train: data/clinic.jsonl, heldOut: data/spare.jsonl }",
    ].join("\n"),
  );
  writeFileSync(path.join(dir, "experiments/syntax.yaml"), "model:\n  base: [a\ndata: {}\n");
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe("help", () => {
  it("shows the common commands, with commands to copy", () => {
    const { stdout, stderr, status } = openfedllm("--help");
    expect([stderr, status]).toEqual(["", 0]);
    for (const command of ["run", "sweep", "compare", "score", "generate", "chat", "serve", "partition", "config"])
      expect(stdout).toMatch(new RegExp(`^  ${command} `, "m"));
    expect(stdout).toContain("npx openfedllm run examples/quickstart.yaml");
    expect(stdout).not.toContain("--debug");
    expect(openfedllm().stdout).toBe(stdout);
    expect(openfedllm("help").stdout).toBe(stdout);
    expect(openfedllm("help", "run").stdout).toBe(openfedllm("run", "--help").stdout);
  });

  it("has a second tier with every option and every setting", () => {
    const common = openfedllm("run", "--help").stdout;
    const all = openfedllm("run", "--help-all").stdout;
    expect(common).toContain("training.learningRate");
    expect(common).toContain("--help-all");
    for (const advanced of ["--threads", "--debug", "adapter.rsLora", "training.epsilon"]) {
      expect(common).not.toContain(advanced);
      expect(all).toContain(advanced);
    }
    for (const line of common.split("\n")) expect(line).toBe(stripVTControlCharacters(line));
  });

  it("prints the version of package.json", () => {
    const { version } = JSON.parse(readFileSync(path.join(ROOT, "package.json"), "utf8")) as { version: string };
    expect(openfedllm("--version").stdout).toBe(`${version}\n`);
  });
});

describe("a mistake on the command line", () => {
  it.each([
    [["rnu", "a.yaml"], /unknown command 'rnu'\nhint: Did you mean 'run'\?/],
    [["run", "a.yaml", "--sett", "a=1"], /unknown option '--sett'\nhint: Did you mean '--set'\?/],
    [["run", "a.yaml", "--thread", "1"], /unknown option '--thread'\nhint: Did you mean '--threads'\?/],
    [["run"], /missing required argument 'config'\nhint: For example: npx openfedllm run examples\/quickstart\.yaml/],
    [["my.yaml"], /unknown command 'my\.yaml'\nhint: Did you mean 'openfedllm run my\.yaml'\?/],
    [["run", "a.yaml", "seed=1"], /too many arguments.*\nhint: .*--set before each/],
    [["run", "a.yaml", "--threads", "two"], /argument 'two' is invalid\. Expected a whole number from 1 to 256/],
    [["score", "--model", "m"], /required option '--data <file>' not specified/],
    [
      ["score", "--model", "m", "--data", "d", "--template", "alpca"],
      /'alpca' is invalid.*\nhint: Did you mean 'alpaca'\?/,
    ],
    [["generate", "--model", "m", "--prompt", "p", "--top-p", "2"], /'2' is invalid\. Expected a number from 0 to 1/],
    [["config"], /either a configuration file or --schema, got neither/],
    [["config", "experiments/two.yaml", "--schema"], /got both/],
  ])("%j is one sentence and exit code 2", (args, message) =>
    expectUserError(openfedllm(...args), EXIT_CODES.config, message),
  );
});

describe("a mistake in a configuration", () => {
  it.each([
    [["run", "nothing.yaml"], /nothing\.yaml: there is no such file/],
    [["run", "experiments/syntax.yaml"], /syntax\.yaml, line \d+/],
    [
      ["run", "experiments/two.yaml", "--set", "training.localStep=5"],
      /unknown key 'training\.localStep'\nhint: Did you mean 'training\.localSteps'\?/,
    ],
    [["partition", "experiments/two.yaml", "--set", "federation.algorithm=fedavgg"], /fedavgg/],
    [["config", "experiments/two.yaml", "--set", "seed"], /--set seed: expected key=value/],
    [["run", "experiments/two.yaml", "--threads", "0"], /--threads/],
  ])("%j is exit code 2", (args, message) => expectUserError(openfedllm(...args), EXIT_CODES.config, message));

  it("shows where it was found only with --debug", () => {
    const { stderr, status } = openfedllm("run", "nothing.yaml", "--debug");
    expect(stderr).toMatch(/^error: [^\n]+\nhint: [^\n]+\nUserError: .*\n +at /);
    expect(status).toBe(EXIT_CODES.config);
  });

  it("in data is exit code 3, in the model 4", () => {
    expectUserError(
      openfedllm("partition", "experiments/two.yaml", "--set", "data.clients.0.train=data/broken.jsonl"),
      EXIT_CODES.data,
      /broken\.jsonl line 2/,
    );
    const { stderr, status } = openfedllm("run", "experiments/two.yaml");
    expect(stderr).toMatch(
      /^reading data\ncolumns that are not used: .*\nopening \.\/no-such-model\nerror: .*no-such-model/,
    );
    expect(status).toBe(EXIT_CODES.model);
  });
});

describe("config", () => {
  it("--schema is a JSON Schema that the resolved configuration fulfils", () => {
    const schema = JSON.parse(openfedllm("config", "--schema").stdout) as Record<string, unknown>;
    expect(schema).toMatchObject({ type: "object", additionalProperties: false, required: ["model", "data"] });
    const { stdout } = openfedllm("config", "experiments/two.yaml", "--set", "training.learningRate=1e-3");
    writeFileSync(path.join(dir, "experiments/resolved.yaml"), stdout);
    expect(stdout).toContain("learningRate: 0.001\n");
    expect(stdout).toContain("train: data/bank.jsonl");
    expect(openfedllm("config", "experiments/resolved.yaml").stdout).toBe(stdout);
    const validator = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);
    expect(validator.safeParse({ model: { base: "a" }, data: {} }).success).toBe(true);
    expect(validator.safeParse({ model: {}, data: {} }).success).toBe(false);
    expect(validator.safeParse({ model: { base: "a" }, data: {}, training: { localStep: 1 } }).success).toBe(false);
  });
});

describe("partition", () => {
  it("draws sizes and the label mix, plainly in a pipe", () => {
    const { stdout, stderr, status } = openfedllm("partition", "experiments/two.yaml");
    expect([stderr, status]).toEqual(["columns that are not used: topic (10 records)\n", 0]);
    expect(stdout.split("\n").slice(0, 5)).toEqual([
      "2 clients, 6 training records, 4 held out",
      "",
      "client  records  held out",
      `bank          4         0  ${"a".repeat(38)}${"c".repeat(12)}`,
      `clinic        2         4  ${"b".repeat(25)}`,
    ]);
  });

  it("deals pooled records by a column, and counts them as JSON", () => {
    writeFileSync(
      path.join(dir, "experiments/pooled.yaml"),
      "model: { base: x }\ndata:\n  train: [data/bank.jsonl, data/clinic.jsonl]\n  partition: { by: field, field: topic }\n",
    );
    const pooled = openfedllm("partition", "experiments/pooled.yaml", "--json");
    expect(JSON.parse(pooled.stdout)).toEqual({
      field: "topic",
      clients: [
        { name: "cards", records: 1, heldOut: 0, labels: { cards: 1, loans: 0, triage: 0 } },
        { name: "loans", records: 3, heldOut: 0, labels: { cards: 0, loans: 3, triage: 0 } },
        { name: "triage", records: 2, heldOut: 0, labels: { cards: 0, loans: 0, triage: 2 } },
      ],
    });
  });
});

describe("streams", () => {
  const ended = (child: ChildProcess): Promise<number | null> => new Promise((resolve) => child.once("close", resolve));

  it("ends quietly where nobody reads on", async () => {
    const child = spawn(process.execPath, [MAIN, "config", "--schema"], {
      stdio: ["ignore", "pipe", "pipe"],
      cwd: dir,
      env: ENV,
    });
    child.stdout!.destroy();
    let stderr = "";
    child.stderr!.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    expect([await ended(child), stderr]).toEqual([0, ""]);
  });

  it("stop in two steps: one press asks, a later one ends at once", async () => {
    const source = `
      import { watchInterruption } from ${JSON.stringify(new URL("../dist/cli/interruption.js", import.meta.url).href)};
      const { signal } = watchInterruption(() => console.log("stopping"));
      const press = (ms) => setTimeout(() => process.kill(process.pid, "SIGINT"), ms);
      press(50); press(100); press(600);
      setTimeout(() => console.log("aborted", signal.aborted), 400);
      setTimeout(() => console.log("too late"), 5000);`;
    const { stdout, status } = spawnSync(process.execPath, ["--input-type=module", "-e", source], { encoding: "utf8" });
    expect([stdout, status]).toEqual(["stopping\naborted true\n", EXIT_CODES.interrupted]);
  });

  it("colours an error only where it is asked to", () => {
    const forced = spawnSync(process.execPath, [MAIN, "rnu"], {
      cwd: dir,
      encoding: "utf8",
      env: { ...ENV, FORCE_COLOR: "1" },
    });
    expect(forced.stderr).toContain("\u001b[31merror:");
    expect(openfedllm("rnu").stderr).not.toContain("\u001b");
  });
});

describe("docs", () => {
  it("are those of the code", () => {
    const { status, stderr } = spawnSync(process.execPath, [path.join(ROOT, "scripts/docs.mjs"), "--check"], {
      encoding: "utf8",
    });
    expect([status, stderr]).toEqual([0, ""]);
  });

  it("explain every exit code", () => {
    const errors = readFileSync(path.join(ROOT, "docs/errors.md"), "utf8");
    for (const [kind, code] of Object.entries(EXIT_CODES)) {
      expect(errors).toContain(`| ${code} | \`${kind}\` |`);
      expect(errors).toContain(`## ${code} · ${kind}`);
    }
  });
});
