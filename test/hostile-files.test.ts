import { spawn, spawnSync, type SpawnSyncReturns } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { EXIT_CODES } from "../src/diagnostics/user-error.ts";
import { writeTinyModel } from "./support/tiny-model.ts";

// Models, data and settings of strangers: each ends in one sentence and an exit code of docs/errors.md, or can be stopped.
// Through the built command line: `npm test` builds first.
const CLI = path.join(import.meta.dirname, "..", "dist", "cli", "main.js");
const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-hostile-"));
const at = (...names: string[]): string => path.join(folder, ...names);
const ENV = { ...process.env, OPENFEDLLM_CACHE: at("cache"), HF_HOME: at("hf"), HF_HUB_OFFLINE: "1", NO_COLOR: "1" };

writeTinyModel(at("model"));
writeFileSync(at("data.jsonl"), '{"instruction": "What is it?", "response": "It."}\n');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a command; one that does not end within half a minute has the status null. */
function cli(...args: string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [CLI, ...args], { cwd: folder, env: ENV, encoding: "utf8", timeout: 30_000 });
}

const score = (model: string, data = "data.jsonl") => cli("score", "--model", model, "--data", data, "--threads", "1");

/** A copy of the model with one file changed. */
function modelWith(name: string, file: string, change: (json: Record<string, unknown>) => object): string {
  cpSync(at("model"), at(name), { recursive: true });
  const json = JSON.parse(readFileSync(at(name, file), "utf8")) as Record<string, unknown>;
  writeFileSync(at(name, file), JSON.stringify(change(json)));
  return name;
}

function expectFailure(
  { status, stderr }: SpawnSyncReturns<string>,
  kind: keyof typeof EXIT_CODES,
  error: RegExp,
): void {
  const line = stderr.split("\n").find((each) => each.startsWith("error: "));
  expect({ status, error: line }).toEqual({ status: EXIT_CODES[kind], error: expect.stringMatching(error) });
}

describe.skipIf(process.platform === "win32")("a model that never ends", () => {
  const endless: Readonly<Record<string, () => string>> = {
    "a regular expression of exponential time": () =>
      modelWith("regex", "tokenizer.json", (json) => ({
        ...json,
        pre_tokenizer: { type: "Split", pattern: { Regex: "(x+x+)+y" }, behavior: "Isolated", invert: false },
      })),
    "a template that counts": () =>
      modelWith("template", "tokenizer_config.json", (json) => ({
        ...json,
        chat_template: "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
      })),
  };
  writeFileSync(at("endless.jsonl"), `{"instruction": "What is ${"x".repeat(40)}?", "response": "It."}\n`);
  writeFileSync(
    at("run.json"),
    JSON.stringify({
      model: { base: "regex" },
      data: { clients: [{ name: "a", train: "endless.jsonl" }] },
      federation: { rounds: 1 },
    }),
  );

  test.each([
    ["a regular expression of exponential time", "SIGINT", "score"],
    ["a regular expression of exponential time", "SIGTERM", "run"],
    ["a template that counts", "SIGTERM", "score"],
  ] as const)("%s is ended by %s in %s", async (kind, signal, command) => {
    const model = endless[kind]!();
    const args =
      command === "run" ? ["run", "run.json", "--out", "run"] : ["score", "--model", model, "--data", "endless.jsonl"];
    const child = spawn(process.execPath, [CLI, ...args, "--threads", "1"], { cwd: folder, env: ENV, stdio: "pipe" });
    let said = "";
    child.stderr.on("data", (bytes) => (said += String(bytes)));
    const ended = new Promise((resolve) => child.on("exit", (code, by) => resolve(by ?? code)));
    // The first is soon after its start; it does not matter if the work has begun.
    const press = setInterval(() => child.kill(signal), 4000);
    expect(["SIGKILL", EXIT_CODES.interrupted]).toContain(await ended);
    clearInterval(press);
    expect(said).toMatch(/Stopped/);
  });
});
