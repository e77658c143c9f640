import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { EXIT_CODES } from "../src/diagnostics/user-error.ts";
import { openModel } from "../src/node/model/model-source.ts";
import { openHub } from "../src/node/hub/hub.ts";
import { HubServer, TOKEN } from "./support/hub-server.ts";
import { writeTinyModel } from "./support/tiny-model.ts";

// The built command line against the stand-in for the Hub: `npm test` builds first.
const CLI = path.join(import.meta.dirname, "../dist/cli/main.js");
const root = mkdtempSync(path.join(os.tmpdir(), "openfedllm-hub-cli-"));
const ENV = { HF_HOME: path.join(root, "hf"), OPENFEDLLM_CACHE: path.join(root, "own"), NO_COLOR: "1" };
let server: HubServer;
let model: Record<string, Uint8Array>;

interface Result {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number | null;
}

/** Not spawnSync: the server answers from this process. */
async function cli(args: readonly string[], env: Record<string, string> = {}): Promise<Result> {
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd: root,
    env: { PATH: process.env["PATH"], ...ENV, HF_ENDPOINT: server.endpoint, ...env },
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (data) => (stdout += String(data)));
  child.stderr.on("data", (data) => (stderr += String(data)));
  const status = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { stdout, stderr, status };
}

beforeAll(async () => {
  server = await HubServer.start();
  const folder = writeTinyModel(path.join(root, "model"));
  model = Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(path.join(folder, name))]));
  const noise = { "README.md": "# Tiny", "pytorch_model.bin": "not wanted", "onnx/model.onnx": "not wanted" };
  server.push("models", "acme/tiny", { ...model, ...noise });
  const { "model.safetensors": weights, ...rest } = model;
  server.push("models", "acme/pickled", { ...rest, "pytorch_model.bin": weights! });
  server.push("models", "acme/alien", { ...model, "config.json": '{"model_type": "alien"}' });
  const rows = Array.from({ length: 12 }, (_, i) => ({
    instruction: `What is ${i}?`,
    input: "",
    output: i === 5 ? "" : `It is ${i}.`,
    text: "",
  }));
  server.push("datasets", "tatsu-lab/alpaca", { "data.json": JSON.stringify(rows) });
  const talk = [{ question: "Who?", answer: "Me." }].map((row) => JSON.stringify(row)).join("\n");
  server.push("datasets", "acme/talk", { "train.jsonl": talk, "test.jsonl": talk.replace("Who", "Why") });
  writeFileSync(
    path.join(root, "e.yaml"),
    stringify({
      model: { base: "acme/tiny@main" },
      adapter: { rank: 4, alpha: 8 },
      data: { maxLength: 64, train: "tatsu-lab/alpaca", limit: 4, heldOut: "hf:acme/talk@main?split=test" },
      training: { batchSize: 2, localSteps: 1 },
      federation: { clients: 2, rounds: 1 },
      runtime: { threads: 1 },
    }),
  );
}, 30_000);
afterAll(async () => {
  await server.stop();
  rmSync(root, { recursive: true, force: true });
});
beforeEach(() => server.reset());

describe("openfedllm", () => {
  it("run: on a dataset and a model of the Hub, then without it to the same bits", async () => {
    const { stdout, stderr, status } = await cli(["run", "e.yaml", "--out", "runs/a"], { HF_TOKEN: TOKEN });
    expect([status, stderr]).toEqual([0, expect.stringContaining("end: 1 round")]);
    expect(stderr).toMatch(/tatsu-lab\/alpaca: 1 row left out \(the response is empty: .*: 1\)/);
    expect(stdout).toContain("npx openfedllm generate runs/a --prompt");
    expect(stdout).toContain("--data 'hf:acme/talk@main?split=test'");
    expect(stdout + stderr).not.toContain(TOKEN);
    const fetched = server.seen
      .filter(({ path }) => path.includes("/acme/tiny/resolve/"))
      .map(({ path }) => path.split("/").at(-1));
    expect(new Set(fetched)).toEqual(
      new Set(["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]),
    );
    // As PEFT finds the base again.
    const peft: unknown = JSON.parse(readFileSync(path.join(root, "runs/a/adapter/adapter_config.json"), "utf8"));
    expect(peft).toMatchObject({ base_model_name_or_path: "acme/tiny", revision: "main" });
    const offline = await cli(["run", "e.yaml", "--out", "runs/b"], { HF_HUB_OFFLINE: "1" });
    expect(offline.status).toBe(0);
    const adapter = (run: string): Buffer =>
      readFileSync(path.join(root, "runs", run, "adapter/adapter_model.safetensors"));
    expect(adapter("b").equals(adapter("a"))).toBe(true);
    expect(readFileSync(path.join(root, "runs/a/events.jsonl"), "utf8")).toContain('"tatsu-lab/alpaca#');
  }, 60_000);

  it("run: knows records by dataset and number, however it is written", async () => {
    const held = "data.heldOut=hf:tatsu-lab/alpaca?split=train";
    const { stderr, status } = await cli(["run", "e.yaml", "--out", "runs/never", "--set", held]);
    expect(stderr).toMatch(
      /^error: tatsu-lab\/alpaca record \d+ is held out by data\.heldOut and trained on by client/m,
    );
    expect(status).toBe(EXIT_CODES.data);
  });

  it("partition: reads a dataset of the Hub", async () => {
    const { stdout, status } = await cli(["partition", "e.yaml", "--json"]);
    expect(status).toBe(0);
    expect((JSON.parse(stdout) as { clients: unknown[] }).clients).toHaveLength(2);
  });

  it("download: models and datasets, beforehand", async () => {
    const fetched = await cli(["download", "acme/talk", "--dataset", "--revision", "main"]);
    expect(fetched.status).toBe(0);
    expect(existsSync(path.join(fetched.stdout.trim(), "train.jsonl"))).toBe(true);
    const known = await cli(["download", "tatsu-lab/alpaca"]);
    expect(known.stdout).toContain(path.join("hf/hub/datasets--tatsu-lab--alpaca/snapshots/"));
    expect(await cli(["download", "acme/tiny@main", "--revision", "main"])).toMatchObject({
      status: EXIT_CODES.config,
    });
    expect(await cli(["download", "a/b/c"])).toMatchObject({ status: EXIT_CODES.config });
  });

  it.each([
    ["acme/pickled", /^error: model acme\/pickled of the Hub has no model\.safetensors, only pickled \.bin weights$/m],
    ["acme/alien", /^error: .*alien/m],
    [
      "acme/none",
      /^error: there is no model acme\/none on the Hub, or it is private \(401\); nor is there a folder .*\/acme\/none$/m,
    ],
    ["hf:acme/tiny@nmain", /^error: model acme\/tiny has no revision nmain$/m],
  ])("run refuses the model %s before it fetches weights", async (ref, message) => {
    const { stderr, status } = await cli(["run", "e.yaml", "--out", "runs/never", "--set", `model.base=${ref}`]);
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^hint: \S/m);
    expect(status).toBe(EXIT_CODES.model);
    expect(server.seen.filter(({ host }) => host === "cdn")).toEqual([]);
  });
});

it("openModel gives the commit, and reads shards by their index", async () => {
  const { "model.safetensors": weights, ...rest } = model;
  const index = { weight_map: { "model.norm.weight": "model-00001-of-00001.safetensors" } };
  const commit = server.push("models", "acme/sharded", {
    ...rest,
    "model.safetensors.index.json": JSON.stringify(index),
    "model-00001-of-00001.safetensors": weights!,
    "extra.safetensors": "not wanted",
  });
  const hub = openHub({ env: { ...ENV, HF_ENDPOINT: server.endpoint } });
  const opened = await openModel("acme/sharded", { hub: () => hub, cacheDir: ENV.OPENFEDLLM_CACHE });
  expect(opened.commit).toBe(commit);
  expect(opened.dir).toBe(path.join(ENV.HF_HOME, "hub/models--acme--sharded/snapshots", commit));
  const local = await openModel(path.join(root, "model"), { cacheDir: ENV.OPENFEDLLM_CACHE });
  expect([...opened.weights.shapes]).toEqual([...local.weights.shapes]);
  expect(existsSync(path.join(opened.dir, "extra.safetensors"))).toBe(false);
});
