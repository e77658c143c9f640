import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { EXIT_CODES } from "../src/diagnostics/user-error.ts";
import { cliIn } from "./support/cli.ts";
import { writeTinyAdapter, writeTinyData, writeTinyModel } from "./support/tiny-model.ts";

// `openfedllm export` through the built command line: `npm test` builds first. The numbers of each format are in
// src/export/*.test.ts; `npm run check:exports` opens the files with the programs that they are for.
const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-export-"));
const at = (...names: string[]): string => path.join(folder, ...names);
const cli = cliIn(folder, {
  ...process.env,
  OPENFEDLLM_CACHE: at("cache"),
  HF_HOME: at("hf"),
  HF_HUB_OFFLINE: "1",
  NO_COLOR: "1",
});

const jsonOf = (...names: string[]) => JSON.parse(readFileSync(at(...names), "utf8")) as Record<string, unknown>;

function done(...args: string[]): string {
  const { status, stdout, stderr } = cli(...args);
  expect([status, stderr]).toEqual([0, expect.anything()]);
  return stdout;
}

function fails(args: readonly string[], kind: keyof typeof EXIT_CODES, error: RegExp, hint: RegExp): void {
  const { status, stderr } = cli(...args);
  const lines = stderr.trimEnd().split("\n");
  expect(lines.at(-2)).toMatch(error);
  expect(lines.at(-1)).toMatch(hint);
  expect(status).toBe(EXIT_CODES[kind]);
  expect(stderr).not.toMatch(/^ +at /m);
}

/** Summed log-probability of each record's answer. */
function scores(...args: string[]): number[] {
  const lines = done("score", "--data", "apples.jsonl", "--json", ...args)
    .trim()
    .split("\n");
  return lines.slice(0, -1).map((line) => (JSON.parse(line) as { logprob: number }).logprob);
}

function closeTo(got: readonly number[], wanted: readonly number[], relative: number): void {
  expect(got).toHaveLength(wanted.length);
  got.forEach((value, i) => expect(Math.abs(value / wanted[i]! - 1)).toBeLessThan(relative));
}

beforeAll(async () => {
  writeTinyModel(at("model"));
  writeTinyData(at("apples.jsonl"), "apples", 8);
  writeTinyData(at("bolts.jsonl"), "bolts", 8);
  writeTinyData(at("spare.jsonl"), "spare", 3);
  const config = {
    model: { base: "model" },
    adapter: { rank: 4, alpha: 8, targets: "all-linear" },
    data: {
      maxLength: 128,
      clients: ["apples", "bolts"].map((name) => ({ name, train: `${name}.jsonl`, heldOut: "spare.jsonl" })),
    },
    training: { batchSize: 4, localSteps: 2, learningRate: 5e-2 },
    federation: { rounds: 1 },
    runtime: { threads: 1 },
  };
  writeFileSync(at("e.yaml"), stringify(config));
  done("run", "e.yaml", "--out", "runs/good");
  await writeTinyAdapter(at("strong"), at("model"), { seed: 5 });
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("merged", () => {
  test("a run's model scores as base and adapter apart", () => {
    expect(done("export", "runs/good", "--to", "merged", "--dtype", "f32")).toBe("exports/good-merged-f32\n");
    const apart = scores("--model", "model", "--adapter", "runs/good/adapter");
    closeTo(scores("--model", "exports/good-merged-f32"), apart, 1e-5);
    const bare = scores("--model", "model");
    expect(Math.abs(bare[0]! - apart[0]!)).toBeGreaterThan(0.01);
    expect(readFileSync(at("exports/good-merged-f32/tokenizer.json"))).toEqual(
      readFileSync(at("model/tokenizer.json")),
    );
  }, 120_000);

  test("an adapter of another folder, with its base named, in bfloat16", () => {
    done("export", "strong", "--to", "merged", "--model", "model", "--dtype", "bf16", "--out", "half");
    expect(jsonOf("half/config.json")["dtype"]).toBe("bfloat16");
    closeTo(scores("--model", "half"), scores("--model", "model", "--adapter", "strong"), 0.02);
  }, 120_000);

  test("the base alone has the base's scores", () => {
    done("export", "runs/good", "--to", "merged", "--base-only", "--out", "base");
    expect(scores("--model", "base")).toEqual(scores("--model", "model"));
    // Without any run.
    done("export", "--base-only", "--model", "model", "--to", "merged", "--out", "bare");
    expect(readFileSync(at("bare/model.safetensors"))).toEqual(readFileSync(at("base/model.safetensors")));
    for (const flags of [["--base-only"], ["--model", "model"]]) {
      const { status, stderr } = cli("export", "--to", "merged", "--out", "none", ...flags);
      expect([status, stderr]).toEqual([2, expect.stringContaining("no run or adapter is named")]);
    }
  }, 120_000);
});

test("a PEFT adapter has a model card with counts and without a member's name", () => {
  const { status, stderr } = cli("export", "runs/good", "--to", "peft", "--out", "peft");
  expect([status, stderr]).toEqual([0, expect.stringContaining("PEFT cannot open the base model by its name")]);
  expect(readFileSync(at("peft/adapter_model.safetensors"))).toEqual(
    readFileSync(at("runs/good/adapter/adapter_model.safetensors")),
  );
  const card = readFileSync(at("peft/README.md"), "utf8");
  const [, header = ""] = card.split(/^---$/m);
  expect(parse(header)).toEqual({
    library_name: "peft",
    pipeline_tag: "text-generation",
    tags: ["openfedllm", "federated-learning", "lora"],
  });
  expect(card).toContain("Federated algorithm fedavg, objective sft, 1 round, 2 members.");
  expect(card).toMatch(/^\| \d\.\d{3} \| \d\.\d{3} \| [+-]\d+\.\d %/m);
  expect(card).toContain("no differential privacy");
  expect(card).not.toMatch(/apples|bolts/);
  expect(card).not.toContain("goes on from");
  done("run", "e.yaml", "--set", "model.adapter=peft", "--set", "federation.rounds=1", "--out", "runs/further");
  done("export", "runs/further", "--to", "peft", "--out", "further");
  expect(readFileSync(at("further/README.md"), "utf8")).toContain("- It goes on from the adapter `peft`.");
}, 120_000);

describe("bad input", () => {
  test("a folder that exists is not touched", () => {
    mkdirSync(at("taken"));
    writeFileSync(at("taken/mine.txt"), "mine");
    fails(
      ["export", "runs/good", "--to", "merged", "--out", "taken"],
      "storage",
      /^error: taken exists already, and nothing in it is overwritten$/,
      /^hint: Give another folder with --out/,
    );
    expect(readdirSync(at("taken"))).toEqual(["mine.txt"]);
  });

  test.each([
    ["a folder that is missing", ["export", "runs/god", "--to", "merged"], "config", /runs\/god/, /runs\/good/],
    [
      "a base model",
      ["export", "model", "--to", "merged"],
      "config",
      /model is a base model, not a run folder or an adapter$/,
      /PEFT/,
    ],
    ["an unknown base", ["export", "strong", "--to", "merged"], "model", /model 'tiny': there is no folder/, /hint: /],
    [
      "a number format that the target does not have",
      ["export", "runs/good", "--to", "merged", "--dtype", "q8_0"],
      "config",
      /merged has no number format q8_0$/,
      /f32, f16, bf16/,
    ],
    [
      "an adapter of another base",
      ["export", "strong", "--to", "merged", "--model", "wide", "--out", "never"],
      "model",
      /strong: tensor \S+ is \[4, 32\], expected \[4, 64\]$/,
      /the adapter was trained on/,
    ],
  ] as const)("%s is refused in one sentence", (_title, args, kind, error, hint) => {
    if (!existsSync(at("wide"))) writeTinyModel(at("wide"), { hiddenSize: 64 });
    fails(args, kind, error, hint);
    expect(existsSync(at("never"))).toBe(false);
  });

  test("a full disk leaves nothing", () => {
    const disk = at("disk");
    mkdirSync(disk);
    // Without the right to mount a small disk, a path through a file fails the writer too.
    const mounted =
      process.platform === "linux" && spawnSync("mount", ["-t", "tmpfs", "-o", "size=60k", "tmpfs", disk]).status === 0;
    if (!mounted) rmSync(disk, { recursive: true });
    if (!mounted) writeFileSync(disk, "");
    try {
      fails(
        ["export", "runs/good", "--to", "merged", "--out", path.join(disk, "model")],
        "storage",
        mounted
          ? /^error: \S+ cannot be written: the disk is full \(ENOSPC\); nothing of it is left$/
          : /^error: \S+ cannot be written: a part of the path is a file, not a folder \(ENOTDIR\)/,
        /^hint: Correct the problem, or give another folder with --out/,
      );
      if (mounted) expect(readdirSync(disk)).toEqual([]);
    } finally {
      if (mounted) spawnSync("umount", [disk]);
    }
  });

  test("an adapter that is damaged is refused before a folder is made", () => {
    cpSync(at("strong"), at("damaged"), { recursive: true });
    const file = at("damaged/adapter_model.safetensors");
    writeFileSync(file, readFileSync(file).subarray(0, 2000));
    fails(
      ["export", "damaged", "--to", "merged", "--model", "model", "--out", "never"],
      "model",
      /damaged\/adapter_model\.safetensors is cut short/,
      /./,
    );
    expect(readdirSync(folder).filter((name) => name.includes("never"))).toEqual([]);
  });
});
