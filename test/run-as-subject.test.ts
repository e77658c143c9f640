import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { EXIT_CODES } from "../src/diagnostics/user-error.ts";
import { CLI, cliIn } from "./support/cli.ts";
import { startServe } from "./support/serving.ts";
import { writeTinyAdapter, writeTinyData, writeTinyModel } from "./support/tiny-model.ts";

// Commands on run folders through the built command line: `npm test` builds first.
const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-subject-"));
const at = (...names: string[]): string => path.join(folder, ...names);
const env = { ...process.env, OPENFEDLLM_CACHE: at("cache"), HF_HUB_OFFLINE: "1", NO_COLOR: "1" };
const cli = cliIn(folder, env);

const SYSTEM = "Answer as a clerk of the post office does.";

function config(data: object): string {
  return stringify({
    model: { base: "../tiny" },
    adapter: { rank: 2 },
    data: { clients: [{ name: "apples", train: "apples.jsonl" }], maxLength: 200, ...data },
    training: { localSteps: 2, learningRate: 1e-2 },
    federation: { rounds: 1 },
    runtime: { threads: 1 },
  });
}

beforeAll(() => {
  writeTinyModel(at("tiny"));
  mkdirSync(at("setup"));
  writeTinyData(at("setup/apples.jsonl"), "apple", 12);
  writeFileSync(at("setup/vicuna.yaml"), config({ template: "vicuna", system: SYSTEM }));
  writeFileSync(at("setup/alpaca.yaml"), config({ template: "alpaca" }));
  for (const name of ["vicuna", "alpaca"]) {
    const { status, stderr } = cli("run", `setup/${name}.yaml`);
    expect(stderr).not.toContain("error");
    expect(status).toBe(0);
  }
}, 240_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const DATA = ["--data", "setup/apples.jsonl", "--json", "--threads", "1"];

describe("a run folder as the subject of a command", () => {
  test("scores with the run's base, template, system message and length", () => {
    const known = cli("score", "runs/vicuna", ...DATA);
    expect(known.status).toBe(0);
    expect(known.stderr).not.toContain("was trained");
    const spelt = ["--model", "tiny", "--template", "vicuna", "--max-length", "200"];
    // The adapter's folder and the run folder in place of an adapter lead to the run, too.
    for (const adapter of ["runs/vicuna/adapter", "runs/vicuna"]) {
      const other = cli("score", ...spelt, "--adapter", adapter, ...DATA);
      expect(other.stdout).toBe(known.stdout);
    }
    expect(cli("score", "--adapter", "runs/vicuna/adapter", ...DATA).stdout).toBe(known.stdout);
    expect(cli("score", "runs/alpaca", ...DATA).stdout).not.toBe(known.stdout);
    // The same adapter away from its run, with the base's own template: other numbers.
    expect(cli("score", "--model", "tiny", ...DATA).stdout).not.toBe(known.stdout);
  }, 240_000);

  test("says which flag contradicts the run, and follows the flag", () => {
    const other = cli("score", "runs/vicuna", "--template", "alpaca", "--max-length", "250", ...DATA);
    expect(other.status).toBe(0);
    expect(other.stderr).toContain(
      'note: runs/vicuna was trained with the template "vicuna", but --template is "alpaca"',
    );
    expect(other.stderr).toContain("--max-length is 250");
    expect(cli("score", "runs/vicuna", "--template", "vicuna", ...DATA).stderr).not.toContain("was trained");
  }, 240_000);

  test("says where the base is another one than the run's", () => {
    writeTinyModel(at("other"), { seed: 7 });
    const { status, stderr } = cli("score", "runs/vicuna", "--model", "other", ...DATA);
    expect(status).toBe(0);
    expect(stderr).toContain("note: other is not the base that runs/vicuna was trained on");
  }, 240_000);

  test("generates, chats and is evaluated", () => {
    const how = ["--max-new-tokens", "6", "--threads", "1"];
    const known = cli("generate", "runs/vicuna", "--prompt", "Which apple?", ...how);
    const flags = ["--model", "tiny", "--adapter", "runs/vicuna/adapter", "--template", "vicuna"];
    expect(known.status).toBe(0);
    expect(cli("generate", ...flags, "--system", SYSTEM, "--prompt", "Which apple?", ...how).stdout).toBe(known.stdout);
    const talk = spawnSync(process.execPath, [CLI, "chat", "runs/vicuna", ...how], {
      cwd: folder,
      env,
      input: "Which apple?\n",
      encoding: "utf8",
    });
    expect(talk.stdout.trim()).toBe(known.stdout.trim());
    const sums = Array.from({ length: 3 }, (_, i) => ({ question: `What is ${i} + 1?`, answer: `#### ${i + 1}` }));
    mkdirSync(at("sums"), { recursive: true });
    for (const name of ["train", "test"]) {
      writeFileSync(at("sums", `${name}.jsonl`), sums.map((row) => `${JSON.stringify(row)}\n`).join(""));
    }
    const run = ["eval", "runs/vicuna", "late=runs/vicuna", "--benchmark", "gsm8k", "--data", "sums", "--shots", "0"];
    const graded = cli(...run, "--max-new-tokens", "4", "--threads", "1", "--json");
    expect(
      graded.stdout
        .trim()
        .split("\n")
        .map((line) => (JSON.parse(line) as { model: string }).model),
    ).toEqual(["base", "vicuna", "late"]);
  }, 240_000);

  test("serves several runs of one base by name", async () => {
    const again = cli("run", "setup/vicuna.yaml", "--out", "runs/second", "--set", "seed=3");
    expect(again.status).toBe(0);
    const server = await startServe(folder, env, "runs/vicuna", "two=runs/second", "--threads", "1");
    const models = (await (await fetch(`${server.url}/models`)).json()) as { data: { id: string }[] };
    server.signal("SIGINT");
    await server.ended;
    expect(models.data.map(({ id }) => id)).toEqual(["tiny", "vicuna", "two"]);
  }, 240_000);

  test.each([
    [["chat"], "there is no base model: give a run folder or --model"],
    [["chat", "runs/vicna"], "Did you mean runs/vicuna?"],
    [["chat", "tiny"], "tiny is a base model, expected a run folder\nhint: Write --model tiny."],
    [["score", "loose", ...DATA], "loose is an adapter outside a run folder, expected a run folder"],
    [["score", "setup", ...DATA], "setup is not a run folder, expected a run folder"],
    [["serve", "runs/vicuna", "runs/alpaca"], 'was trained with the template "vicuna", runs/alpaca with the template'],
    [["eval", "runs/vicuna"], "--benchmark is missing"],
  ])("refuses %j", async (args, message) => {
    await writeTinyAdapter(at("loose"), at("tiny"), { seed: 1 });
    const { status, stderr } = cli(...args);
    expect(stderr).toContain(message);
    expect(status).toBe(EXIT_CODES.config);
  });
});

test("the report of a run names commands that work", () => {
  const { stdout } = cli("run", "setup/alpaca.yaml");
  expect(stdout).toContain("npx openfedllm generate runs/alpaca --prompt 'What can you help me with?'");
  expect(JSON.parse(readFileSync(at("runs/alpaca/origin.json"), "utf8"))).toEqual({ pathsFrom: "../../setup" });
}, 240_000);
