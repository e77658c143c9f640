import { spawn, spawnSync, type SpawnSyncReturns } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
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

/** Files that may have no end. */
const SPECIAL: Readonly<Record<string, (file: string) => void>> = {
  device: (file) => symlinkSync("/dev/zero", file),
  pipe: (file) => void spawnSync("mkfifo", [file]),
};

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
  /** A tokenizer with a regular expression of exponential time. */
  const endless = (): string =>
    modelWith("regex", "tokenizer.json", (json) => ({
      ...json,
      pre_tokenizer: { type: "Split", pattern: { Regex: "(x+x+)+y" }, behavior: "Isolated", invert: false },
    }));
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
    ["SIGINT", "score"],
    ["SIGTERM", "run"],
  ] as const)("is ended by %s in %s", async (signal, command) => {
    const model = endless();
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

  test("ends by itself where a template counts without end", () => {
    const model = modelWith("template", "tokenizer_config.json", (json) => ({
      ...json,
      chat_template: "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
    }));
    expectFailure(score(model), "model", /chat template.* steps/);
  });
});

describe("a model of a stranger is refused:", () => {
  test("a billion layers", () => {
    const model = modelWith("layers", "config.json", (json) => ({ ...json, num_hidden_layers: 1e9 }));
    expectFailure(score(model), "model", /num_hidden_layers is 1000000000, expected at most 10000$/);
  });

  test("as many layers as may be, of which the weights have two", () => {
    const model = modelWith("thousands", "config.json", (json) => ({ ...json, num_hidden_layers: 10_000 }));
    expectFailure(score(model), "model", /layers\.2\..* is missing/);
  });

  test.each([
    [".", /weight_map names "\.", which is a folder$/],
    ["..", /weight_map names "\.\.", which is a folder$/],
    ["../model/model.safetensors", /weight_map must map tensor names to files in the same folder$/],
    ["none.safetensors", /none\.safetensors does not exist, but model\.safetensors\.index\.json names it$/],
  ])("a weight_map that names %s", (shard, error) => {
    cpSync(at("model"), at("index"), { recursive: true });
    rmSync(at("index", "model.safetensors"));
    writeFileSync(at("index", "model.safetensors.index.json"), JSON.stringify({ weight_map: { x: shard } }));
    expectFailure(score("index"), "model", error);
  });

  test.each([-1, 1.5, -5])("a token with the id %d", (id) => {
    const model = modelWith(`token${id}`, "tokenizer.json", (json) => {
      const inner = json["model"] as { vocab: Record<string, number> };
      return { ...json, model: { ...inner, vocab: { ...inner.vocab, extra: id } } };
    });
    const added = modelWith(`added${id}`, "tokenizer.json", (json) => ({
      ...json,
      added_tokens: [...(json["added_tokens"] as object[]), { id, content: "extra", special: true }],
    }));
    const error = /has a token with the id -?[\d.]+, expected a whole number from 0 on$/;
    for (const each of [model, added]) expectFailure(score(each), "model", error);
  });

  test.skipIf(process.platform === "win32").each(["model.safetensors", "tokenizer_config.json", "config.json"])(
    "a device or a pipe as %s",
    (file) => {
      for (const [name, make] of Object.entries(SPECIAL)) {
        cpSync(at("model"), at(name), { recursive: true });
        rmSync(at(name, file));
        make(at(name, file));
        expectFailure(score(name), "model", /is not a regular file$/);
        rmSync(at(name), { recursive: true });
      }
    },
  );
});

describe("data of a stranger is refused:", () => {
  test.skipIf(process.platform === "win32").each(["jsonl", "json", "csv", "parquet"])(
    "a device or a pipe as .%s",
    (format) => {
      for (const make of Object.values(SPECIAL)) {
        const file = `special.${format}`;
        make(at(file));
        expectFailure(score("model", file), "data", /it is not a regular file/);
        rmSync(at(file));
      }
    },
  );

  test("a small file that becomes one enormous record", () => {
    const record = `{"instruction":"${"x".repeat(70_000_000)}","response":"x"}\n`;
    writeFileSync(at("bomb.jsonl.gz"), gzipSync(record, { level: 1 }));
    expectFailure(score("model", "bomb.jsonl.gz"), "data", /bomb\.jsonl\.gz line 1: 67 MB, expected at most 64 MB$/);
  });

  test("a record of millions of characters is cut, and its answer is not within", () => {
    writeFileSync(at("long.jsonl"), `{"instruction":"${"x".repeat(5_000_000)}","response":"x"}\n`);
    expectFailure(score("model", "long.jsonl"), "data", /no record has an answer within 512 tokens$/);
  });
});

describe("settings of a stranger are refused:", () => {
  const yaml = (text: string): string => {
    writeFileSync(at("settings.yaml"), text);
    return "settings.yaml";
  };

  test.each([
    ["data: { fields: { __proto__: x } }", /unknown key 'data\.fields\.__proto__'$/],
    ["__proto__: { model: x }", /unknown key '__proto__'$/],
    ["data: &x { clients: [*x] }", /data\.clients\.0 holds itself$/],
    ["x: &x [*x]", /x\.0 holds itself$|x holds itself$/],
    [`data: ${"[".repeat(200)}${"]".repeat(200)}`, /nested more than 50 levels deep$/],
    [`data: ${"[".repeat(20_000)}${"]".repeat(20_000)}`, /nested too deep$/],
  ])("%.60s", (text, error) => {
    expectFailure(cli("partition", yaml(text)), "config", error);
  });

  test.skipIf(process.platform === "win32")("a device or a pipe", () => {
    for (const make of Object.values(SPECIAL)) {
      make(at("special.yaml"));
      expectFailure(cli("partition", "special.yaml"), "config", /it is not a regular file$/);
      rmSync(at("special.yaml"));
    }
  });
});

describe.runIf(process.platform !== "win32")("a cache under the temporary folder", () => {
  const temporary = at("temporary");
  const name = `openfedllm-${process.getuid?.()}`;
  // A home that no one can write, root neither.
  const env = { ...ENV, OPENFEDLLM_CACHE: "/dev/null/cache", TMPDIR: temporary };
  const scoreThere = () =>
    spawnSync(process.execPath, [CLI, "score", "--model", "model", "--data", "data.jsonl", "--threads", "1"], {
      cwd: folder,
      env,
      encoding: "utf8",
      timeout: 30_000,
    });

  const places: [string, (place: string) => void, RegExp | undefined][] = [
    ["is used where it is ours alone", (place) => mkdirSync(place, { mode: 0o700 }), undefined],
    ["is made", () => {}, undefined],
    ["that others may write is refused", (place) => (mkdirSync(place), chmodSync(place, 0o777)), /may write in it/],
    [
      "that is a link is refused",
      (place) => (mkdirSync(`${place}-target`), symlinkSync(`${place}-target`, place)),
      /it is not a folder/,
    ],
  ];
  if (process.getuid?.() === 0) {
    places.push([
      "of another user is refused",
      (place) => (mkdirSync(place, { mode: 0o700 }), chownSync(place, 65533, 65533)),
      /another user owns it/,
    ]);
  }

  test.each(places)("%s", (_, make, error) => {
    rmSync(temporary, { recursive: true, force: true });
    mkdirSync(temporary);
    make(path.join(temporary, name));
    const result = scoreThere();
    if (error === undefined) expect([result.status, result.stderr]).toEqual([0, expect.any(String)]);
    else {
      expectFailure(result, "storage", error);
      expect(result.stderr).toContain("OPENFEDLLM_CACHE");
    }
  });
});
