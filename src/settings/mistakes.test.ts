import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { UserError } from "../diagnostics/user-error.ts";
import { settingKeys } from "./json-schema.ts";
import { readConfigFile } from "../node/config-file.ts";
import { readSiteFile } from "../node/site-file.ts";
import { readSweepFile } from "../node/sweep-file.ts";
import { namedSettings, otherName } from "./other-names.ts";

const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-mistakes-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function refusal(name: string, lines: readonly string[], read: (file: string) => unknown): Promise<string[]> {
  const file = path.join(folder, name);
  writeFileSync(file, `${lines.join("\n")}\n`);
  try {
    await read(file);
  } catch (error) {
    const { message, hint } = error as UserError;
    expect(error).toBeInstanceOf(UserError);
    return [...message.replaceAll(`${folder}${path.sep}`, "").split("\n"), ...(hint === undefined ? [] : [hint])];
  }
  return [];
}

const config =
  (...settings: string[]) =>
  (file: string): unknown =>
    readConfigFile(file, settings);

test("every mistake of a file is told at once, with its line and column", async () => {
  const lines = [
    "model:",
    "  base_model: x",
    "adapter: { r: 8, lora_alpha: 4 }",
    "data:",
    "  clients:",
    "    - name: one",
    "      trian: a.jsonl",
    "training:",
    "  batchSize: sixteen",
    "  fp16: true",
    "federation: { algorithm: fedagv, num-rounds: 3 }",
  ];
  expect((await refusal("a.yaml", lines, config())).slice(0, -1)).toEqual([
    "a.yaml has 8 mistakes",
    expect.stringMatching(
      /^ {2}line 2, column 3: unknown key 'model.base_model'. Axolotl's 'base_model' is model.base here\. /,
    ),
    "  line 3, column 12: unknown key 'adapter.r'. PEFT's 'r' is adapter.rank here. LoRA rank r.",
    "  line 3, column 18: unknown key 'adapter.lora_alpha'. PEFT's 'lora_alpha' is adapter.alpha here. LoRA alpha.",
    "  line 7, column 7: unknown key 'data.clients[0].trian'. Did you mean 'data.clients[0].train'?",
    '  line 9, column 14: training.batchSize is "sixteen", expected integer >= 1',
    expect.stringMatching(/^ {2}line 10, column 3: unknown key 'training.fp16'\. Training here is in single precision/),
    expect.stringMatching(/^ {2}line 11, column 26: federation.algorithm is "fedagv", .*Did you mean 'fedavg'\?$/),
    expect.stringMatching(/^ {2}line 11, column 34: unknown key 'federation.num-rounds'. OpenFedLLM's/),
  ]);
});

test("a single mistake is one sentence, in JSON too", async () => {
  const lines = [
    "{",
    '  "model": { "base": "x" },',
    '  "data": { "train": "a" },',
    '  "training": { "epochs": 2 }',
    "}",
  ];
  expect(await refusal("b.json", lines, config())).toEqual([
    "b.json, line 4, column 17: unknown key 'training.epochs'",
    "'epochs' is training.localEpochs here. Number of passes that a client makes over its records in a round.",
  ]);
});

test("a missing setting is told at the place of what would hold it, unless a misspelt key explains it", async () => {
  const rest = ["data: { clients: [{ name: a, train: f }] }"];
  expect(await refusal("c.yaml", ["model: {}", ...rest], config())).toEqual([
    "c.yaml, line 1, column 1: model.base is missing",
    expect.stringContaining("Base model"),
  ]);
  expect((await refusal("c.yaml", ["modle: { base: x }", ...rest], config()))[0]).toBe(
    "c.yaml, line 1, column 1: unknown key 'modle'",
  );
});

test("settings that exclude each other are told together; one of --set is named as such", async () => {
  const lines = [
    "model: { base: x }",
    "data: { train: a, partition: { by: field } }",
    "training: { minLearningRate: 1 }",
  ];
  const found = await refusal("d.yaml", lines, config("evaluation.best.metric=los"));
  expect(found.slice(0, 4)).toEqual([
    "d.yaml with --set has 3 mistakes",
    expect.stringMatching(/^ {2}line 2, column 19: data.partition.field is missing/),
    expect.stringMatching(/^ {2}line 3, column 13: training.minLearningRate \(1\) is above/),
    expect.stringMatching(/^ {2}--set evaluation.best.metric=los: evaluation.best.metric is "los"/),
  ]);
});

test("files of sites and of sweeps have places, too", async () => {
  const site = (file: string): unknown => readSiteFile(path.dirname(file), {});
  expect((await refusal("site.yaml", ["allow:", "  maxRound: 3", "  scores: 1"], site)).slice(1, 3)).toEqual([
    expect.stringMatching(/^ {2}line 2, column 3: unknown key 'allow.maxRound'/),
    expect.stringMatching(/^ {2}line 3, column 11: allow.scores is 1/),
  ]);
  const sweep = ["experiment: e.yaml", "runs:", "  - nam: a", "seeds: x"];
  expect((await refusal("s.yaml", sweep, (file) => readSweepFile(file))).slice(0, 2)).toEqual([
    expect.stringMatching(/^s.yaml has \d mistakes$/),
    expect.stringMatching(/^ {2}line 3, column 5: unknown key 'runs\[0\].nam'/),
  ]);
});

test("very many mistakes are counted, not listed", async () => {
  const lines = ["model: { base: x }", ...Array.from({ length: 5000 }, (_, i) => `key${i}: 1`)];
  const found = await refusal("many.yaml", lines, config());
  expect(found).toHaveLength(23);
  expect(found.at(-2)).toMatch(/^ {2}… and \d+ more$/);
});

test("names of other programs lead to settings that there are", () => {
  expect(namedSettings().filter((key) => !settingKeys().includes(key))).toEqual([]);
  const leads = (name: string): string | undefined => otherName(name)?.setting;
  expect(["r", "target-modules", "numTrainEpochs", "LR"].map(leads)).toEqual([
    "adapter.rank",
    "adapter.targets",
    "training.localEpochs",
    "training.learningRate",
  ]);
});
