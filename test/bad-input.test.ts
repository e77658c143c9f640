import { type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { EXIT_CODES } from "../src/diagnostics/user-error.ts";
import { writeTinyData, writeTinyModel } from "./support/tiny-model.ts";

// What a person meets who gives something wrong: one sentence, what to do, the exit code of docs/errors.md, no trace.
// Through the built command line: `npm test` builds first.
const CLI = path.join(import.meta.dirname, "..", "dist", "cli", "main.js");
const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-bad-"));
const at = (...names: string[]): string => path.join(folder, ...names);
const ENV = { ...process.env, OPENFEDLLM_CACHE: at("cache"), HF_HOME: at("hf"), HF_HUB_OFFLINE: "1", NO_COLOR: "1" };
delete (ENV as Record<string, string | undefined>)["NOT_SET"];

const CONFIG = {
  model: { base: "model" },
  adapter: { rank: 4, alpha: 8 },
  data: {
    maxLength: 128,
    clients: ["apples", "bolts"].map((name) => ({ name, train: `${name}.jsonl`, heldOut: `${name}.heldout.jsonl` })),
  },
  training: { batchSize: 4, localSteps: 1, learningRate: 5e-3 },
  federation: { rounds: 2 },
  runtime: { threads: 1 },
};

type Result = SpawnSyncReturns<string>;

function cli(args: readonly string[], env: Record<string, string> = {}): Result {
  return spawnSync(process.execPath, [CLI, ...args], {
    cwd: folder,
    env: { ...ENV, ...env },
    encoding: "utf8",
    timeout: 30_000,
  });
}

/** The command, the kind of its exit code, and what its last two lines on stderr say. */
type Case = readonly [
  args: readonly string[],
  kind: keyof typeof EXIT_CODES,
  error: RegExp | string,
  hint: RegExp | string,
];

/** Progress may come before; the failure is one line that says it, and one that says what to do. */
function expectFailure(
  result: Result,
  kind: keyof typeof EXIT_CODES,
  error: RegExp | string,
  hint: RegExp | string,
): void {
  const lines = result.stderr.trimEnd().split("\n");
  expect(lines.filter((line) => line.startsWith("error: "))).toHaveLength(1);
  expect(lines.at(-2)).toMatch(/^error: /);
  expect(lines.at(-2)!.slice("error: ".length)).toMatch(error);
  expect(lines.at(-1)).toMatch(/^hint: /);
  expect(lines.at(-1)!.slice("hint: ".length)).toMatch(hint);
  expect(result.stderr).not.toMatch(/^ +at |Invalid input|defect in openfedllm|undefined|\[object/m);
  expect(result.status).toBe(EXIT_CODES[kind]);
}

const fails = (
  args: readonly string[],
  kind: keyof typeof EXIT_CODES,
  error: RegExp | string,
  hint: RegExp | string,
): void => expectFailure(cli(args), kind, error, hint);

const set = (...settings: string[]): string[] => settings.flatMap((setting) => ["--set", setting]);
const config = (...settings: string[]): string[] => ["config", "e.yaml", ...set(...settings)];
const partition = (...settings: string[]): string[] => ["partition", "e.yaml", ...set(...settings)];
const run = (...settings: string[]): string[] => ["run", "e.yaml", "--out", "runs/never", ...set(...settings)];
const POOLED = ["data.clients=null", "data.train=apples.jsonl"];

function write(name: string, content: string | Uint8Array): void {
  writeFileSync(at(name), content);
}

function copyModel(name: string, change: (dir: string) => void): void {
  cpSync(at("model"), at(name), { recursive: true });
  change(at(name));
}

function editJson(file: string, changes: object): void {
  writeFileSync(file, JSON.stringify({ ...(JSON.parse(readFileSync(file, "utf8")) as object), ...changes }));
}

beforeAll(() => {
  writeTinyModel(at("model"));
  for (const name of ["apples", "bolts"]) {
    writeTinyData(at(`${name}.jsonl`), name, 8);
    writeTinyData(at(`${name}.heldout.jsonl`), `${name} spare`, 2);
  }
  write("e.yaml", stringify(CONFIG));
  const { status, stderr } = cli(["run", "e.yaml", "--out", "runs/good"]);
  expect([status, stderr]).toEqual([0, expect.stringContaining("end: 2 rounds")]);
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("a setting", () => {
  test.each<Case>([
    // Misspelt, in the wrong section, in another's spelling.
    [
      config("trainig.localSteps=3"),
      "config",
      /^--set trainig\.localSteps=3: unknown key 'trainig'$/,
      "Did you mean 'training'?",
    ],
    [
      config("training.localStep=3"),
      "config",
      /unknown key 'training\.localStep'$/,
      "Did you mean 'training.localSteps'?",
    ],
    [config("federation.localSteps=3"), "config", /unknown key/, "Did you mean 'training.localSteps'?"],
    [config("learningRate=3"), "config", /unknown key 'learningRate'$/, "Did you mean 'training.learningRate'?"],
    [config("batch_size=3"), "config", /unknown key 'batch_size'$/, "Did you mean 'training.batchSize'?"],
    [config("training.seed=3"), "config", /unknown key 'training\.seed'$/, "Did you mean 'seed'?"],
    [config("training.lr=3"), "config", /unknown key 'training\.lr'$/, /^'lr' is training\.learningRate here/],
    [
      config("data.clients.0.trian=x"),
      "config",
      /'data\.clients\[0\]\.trian'$/,
      "Did you mean 'data.clients[0].train'?",
    ],
    [
      config("data.fields.instrution=q"),
      "config",
      /unknown key 'data\.fields\.instrution'$/,
      "Did you mean 'data.fields.instruction'?",
    ],
    [config("data.cliens=null"), "config", /unknown key 'data\.cliens'$/, "Did you mean 'data.clients'?"],
    [config("__proto__.x=1"), "config", /unknown key '__proto__'$/, /^Legal here: model/],
    [
      config("training.schedule=cosin"),
      "config",
      'training.schedule is "cosin", expected one of cosine, constant',
      "Did you mean 'cosine'?",
    ],
    [config("data.template=Alpaca"), "config", /expected one of alpaca, vicuna, chat, none$/, "Did you mean 'alpaca'?"],
    // Of the wrong type.
    [config("model=x"), "config", 'model is "x", expected mapping', "Its settings: base, adapter."],
    // Missing.
    [config("model=null"), "config", "model.base is missing", /^Base model: /],
    [config("data.clients=null"), "config", /either data\.clients or data\.train, got neither$/, /^With data\.clients/],
    [
      config("data.train=apples.jsonl"),
      "config",
      /either data\.clients or data\.train, got both$/,
      /^With data\.clients/,
    ],
    [config(...POOLED), "config", /federation\.clients is missing/, "For example: federation: { clients: 4 }"],
    [
      config(...POOLED, "federation.clients=2", "data.partition.by=dirichlet"),
      "config",
      /data\.partition\.field is missing/,
      /field: topic/,
    ],
    // Against one another.
    [
      config("data.clients.1.name=apples"),
      "config",
      'data.clients[0] and data.clients[1] are both called "apples"',
      /different name/,
    ],
    [
      config("federation.minClients=3"),
      "config",
      "federation.minClients is 3, but a round has 2 clients",
      /Lower federation\.minClients/,
    ],
    [
      config("federation.clients=5"),
      "config",
      "federation.clients is 5, but data.clients lists 2",
      /^Remove federation\.clients/,
    ],
    [
      config("training.minLearningRate=1"),
      "config",
      /minLearningRate \(1\) is above training\.learningRate \(0\.005\)$/,
      /^Lower training\.minLearningRate/,
    ],
    [
      config("training.batchSize=1000000000"),
      "config",
      /is 1000000000, expected at most 1000000 records in a step$/,
      /Lower one of them/,
    ],
    [run("adapter.rank=1000000000"), "config", /adapter\.rank is 1000000000, expected at most 48/, /usual ranks/],
    [run("data.maxLength=1000"), "config", /data\.maxLength is 1000, but model has 512 positions$/, /512 or less/],
    [run(`evaluation.prompts=[${"x".repeat(200)}]`), "config", /evaluation\.prompts is \d+ tokens long/, /Shorten/],
    [
      partition(...POOLED, "data.partition.by=field", "data.partition.field=topic", "federation.minClients=3"),
      "config",
      /but a round has 2 clients$/,
      /Lower/,
    ],
    // Not for --set.
    [config("seed"), "config", "--set seed: expected key=value", /--set training\.learningRate=1e-4$/],
    [config("seed="), "config", "--set seed=: there is no value after =", /null removes a setting/],
    [config("training.learningRate=[1"), "config", /the value is not YAML: Flow sequence/, /^Quote/],
    [config("model.base=a: b: c"), "config", /the value is not YAML/, /^Quote/],
    [
      config("data.clients.7.name=x"),
      "config",
      /data\.clients is a list of 2, expected a number from 0 to 2 after it, got '7'$/,
      /0 is the first/,
    ],
    [config("data.clients.x.name=x"), "config", /got 'x'$/, /0 is the first/],
    [config("model.base.x=5"), "config", /model\.base is "model" and has no settings inside$/, /--help-all lists/],
    [
      config("model.base=${NOT_SET}"),
      "config",
      "--set uses ${NOT_SET}, but the environment variable NOT_SET is not set",
      /^Set it before/,
    ],
  ])("%j", fails);

  test.each([
    ["adapter.rank=eight", 'adapter.rank is "eight", expected integer >= 1'],
    ["adapter.rank=1.5", "adapter.rank is 1.5, expected integer >= 1"],
    ["adapter.rank=99999999999999999999", /expected at most 9007199254740991$/],
    ["adapter.rsLora=yes", 'adapter.rsLora is "yes", expected boolean'],
    ["adapter.targets=q_proj", 'adapter.targets is "q_proj", expected all-linear or list of strings'],
    ["adapter.targets=[]", "adapter.targets is [], expected at least one entry"],
    ["seed=-1", "seed is -1, expected integer >= 0"],
    ["training.learningRate=.nan", "training.learningRate is NaN, expected number > 0"],
    ["training.learningRate=1e400", "training.learningRate is Infinity, expected number > 0"],
    ["training.schedule=5", "training.schedule is 5, expected one of cosine, constant"],
    ['data.clients.0.name=""', 'data.clients[0].name is "", expected a text that is not empty'],
    ["evaluation.prompts=hello", 'evaluation.prompts is "hello", expected list of strings'],
  ])("%s says what was expected", (setting, message) => {
    const { status, stderr } = cli(config(setting));
    expect(stderr).toMatch(/^error: .*\n$/);
    expect(stderr).toContain(`error: --set ${setting}: `);
    expect(stderr.trimEnd()).toMatch(message);
    expect(status).toBe(EXIT_CODES.config);
  });

  test("is taken away by null, so that a file with clients runs on pooled data", () => {
    const { stdout, status } = cli(config(...POOLED, "federation.clients=2", "adapter=null"));
    expect(status).toBe(0);
    expect(parse(stdout)).toMatchObject({ data: { train: "apples.jsonl" }, adapter: { rank: 8 } });
    expect(parse(stdout)).not.toHaveProperty("data.clients");
  });
});

describe("a configuration file", () => {
  const GOOD = stringify(CONFIG);

  test.each<readonly [name: string, content: string | Uint8Array, error: RegExp | string, hint: RegExp | string]>([
    [
      "syntax.yaml",
      "model: { base: model }\ndata:\n  clients:\n    - { name: a }\n   - x\n",
      /^syntax\.yaml, line 5, column \d+: /,
      /^Correct the YAML there/,
    ],
    ["tab.yaml", "model:\n\tbase: model\n", /^tab\.yaml, line 2, column 1: Tabs are not allowed/, /^Correct/],
    [
      "twice.yaml",
      "model: { base: a }\nmodel: { base: b }\n",
      /^twice\.yaml, line 2, column 1: Map keys must be unique$/,
      /^Correct/,
    ],
    ["two.yaml", "a: 1\n---\nb: 2\n", /^two\.yaml, line 2, column 1: a second document, expected one$/, /^Correct/],
    ["alias.yaml", "model: *nothing\n", /^alias\.yaml: Unresolved alias/, /^Write the value instead/],
    ["short.json", '{"model":{"base":"model"},"data":{', /^short\.json, line 1, column \d+: /, /^Correct/],
    ["empty.yaml", "", "empty.yaml holds nothing, expected a mapping of settings", /quickstart\.yaml/],
    ["comment.yaml", "# nothing yet\n", /holds nothing/, /quickstart\.yaml/],
    ["list.yaml", "- a\n", /holds a list, expected a mapping/, /quickstart\.yaml/],
    [
      "utf16.yaml",
      Buffer.from(`\ufeff${GOOD}`, "utf16le"),
      /is not UTF-8 text, expected YAML or JSON$/,
      /quickstart\.yaml/,
    ],
    [
      "null.yaml",
      "model: { base: model }\nadapter:\ndata: { train: a.jsonl }\n",
      "adapter is empty (null), expected mapping",
      /remove the key to get its default/,
    ],
    [
      "env.yaml",
      "model: { base: '${NOT_SET}' }\n",
      "env.yaml uses ${NOT_SET}, but the environment variable NOT_SET is not set",
      "Set it before the command: NOT_SET=… openfedllm …",
    ],
  ])("%s", (name, content, error, hint) => {
    write(name, content);
    fails(["config", name], "config", error, hint);
  });

  test.each<Case>([
    [["run", "e.yml"], "config", "cannot read the configuration e.yml: there is no such file", "Did you mean e.yaml?"],
    [["run", "nowhere/e.yaml"], "config", /there is no such file$/, /quickstart\.yaml/],
    [["config", "."], "config", "cannot read the configuration .: it is a folder", /quickstart\.yaml/],
  ])("%j", fails);

  test("may be JSON, have Windows line endings or a byte order mark, and lie behind spaces", () => {
    mkdirSync(at("a folder"), { recursive: true });
    const { stdout } = cli(["config", "e.yaml"]);
    for (const [name, content] of [
      ["e.json", JSON.stringify(CONFIG)],
      ["crlf.yaml", GOOD.replaceAll("\n", "\r\n")],
      ["a folder/mé.yaml", `\ufeff${GOOD}`],
    ] as const) {
      write(name, content);
      expect(cli(["config", name]).stdout).toBe(stdout);
    }
  });
});

describe("a data file", () => {
  const RECORD = '{"instruction":"a","response":"b"}\n';
  const TRAIN = "data.clients.0.train";

  test.each<readonly [name: string, content: string, error: RegExp | string, hint: RegExp | string]>([
    ["line.jsonl", `${RECORD}{"instruction": "a",\n`, /^line\.jsonl line 2: not valid JSON/, /^Correct or remove/],
    [
      "response.jsonl",
      `${RECORD}\n{"instruction":"a"}\n`,
      /^response\.jsonl line 3: no response: expected text under "response"/,
      /^Correct or remove/,
    ],
    ["blank.jsonl", '{"instruction":"a","response":" "}\n', /line 1: the response is empty/, /^Correct or remove/],
    [
      "columns.jsonl",
      '{"body":"a"}\n{"body":"b"}\n',
      /line 1: no instruction, prompt, messages or text \(columns: body\) \(1 more record/,
      /data\.fields.*data\.invalid: skip/,
    ],
    ["empty.jsonl", "", "empty.jsonl: no records", /^Add records to it/],
    ["array.jsonl", "[{}]\n", /^array\.jsonl record 1: no instruction, prompt, messages or text/, /data\.fields/],
    ["latin.jsonl", "\n\n", /no records/, /^Add records/],
  ])("%s", (name, content, error, hint) => {
    write(name, content);
    fails(partition(`${TRAIN}=${name}`), "data", error, hint);
  });

  test.each<Case>([
    [partition(`${TRAIN}=aples.jsonl`), "data", "no file aples.jsonl", "Did you mean apples.jsonl?"],
    [
      partition("data.clients.0.heldOut=apples.heldot.jsonl"),
      "data",
      "no file apples.heldot.jsonl",
      "Did you mean apples.heldout.jsonl?",
    ],
    [
      partition(`${TRAIN}=nowhere/a.jsonl`),
      "data",
      /no file nowhere\/a\.jsonl: there is no folder/,
      /^Correct the path/,
    ],
    [partition(`${TRAIN}=e.yaml`), "data", /unknown data format, expected one of jsonl, json/, /`format`/],
    [run("data.heldOut=common.jsonl"), "data", "no file common.jsonl", /./],
    [partition("data.fields.instruction=nope"), "data", /has no column "nope"/, /./],
    // A client left with nothing.
    [
      partition(...POOLED, "federation.clients=50"),
      "data",
      "8 records cannot give 50 clients at least 1 each",
      /^Ask for fewer/,
    ],
    [partition(...POOLED, "federation.clients=1000000000"), "data", /cannot give 1000000000 clients/, /^Ask for fewer/],
    [
      partition(
        ...POOLED,
        "federation.clients=3",
        "data.partition={by: dirichlet, field: topic, alpha: 0.0001, minRecords: 2}",
      ),
      "data",
      /dirichlet \(alpha 0\.0001, 1000 draws\) leaves client client-\d with no data, expected at least 2$/,
      /^Raise alpha/,
    ],
    [
      partition(...POOLED, "federation.clients=3", "data.partition={by: field, field: topic}"),
      "data",
      /3 clients need 3 values of "topic", got 2$/,
      /at most 2 clients/,
    ],
    [
      partition(...POOLED, "data.partition={by: field, field: topc}"),
      "data",
      /line 1: nothing under "topc", expected a label/,
      'Did you mean "topic"?',
    ],
    [
      partition("data.heldOutRecords=8", "data.clients.0.heldOut=null"),
      "data",
      /heldOutRecords 8 would leave it none to train on$/,
      /^Lower data\.heldOutRecords/,
    ],
    [
      run("data.maxLength=8"),
      "data",
      /^client apples: none of 8 records can be learnt from within data\.maxLength \(8 tokens\)$/,
      /^Raise data\.maxLength/,
    ],
    // Names.
    [
      partition(`data.clients.0.name=${"x".repeat(300)}`),
      "data",
      /A client cannot be called "x{40}…": .* 300 characters, expected 1 to 200\.$/,
      /shorter name/,
    ],
  ])("%j", fails);

  test("with answers too long to evaluate on is an error, not an evaluation of nothing", () => {
    write("long.jsonl", `${JSON.stringify({ instruction: "x".repeat(300), response: "b" })}\n`);
    fails(run("data.clients.0.heldOut=long.jsonl"), "data", /^client apples, held out: none of 1 records/, /maxLength/);
  });

  test("may have Windows line endings", () => {
    const text = readFileSync(at("apples.jsonl"), "utf8");
    write("crlf.jsonl", text.replaceAll("\n", "\r\n"));
    expect(cli(partition(`${TRAIN}=crlf.jsonl`)).stdout).toBe(cli(partition()).stdout);
  });
});

describe("a base model", () => {
  beforeAll(() => {
    writeTinyModel(at("small"), { vocabSize: 200 });
    writeTinyModel(at("gpt"), { architecture: "gpt_neox" });
    copyModel("cut", (dir) => truncateSync(path.join(dir, "model.safetensors"), 20_000));
    copyModel("stub", (dir) => truncateSync(path.join(dir, "model.safetensors"), 4));
    copyModel("no-weights", (dir) => rmSync(path.join(dir, "model.safetensors")));
    copyModel("no-tokenizer", (dir) => rmSync(path.join(dir, "tokenizer.json")));
    copyModel("bad-tokenizer", (dir) => writeFileSync(path.join(dir, "tokenizer.json"), "{}"));
    copyModel("bad-config", (dir) => writeFileSync(path.join(dir, "config.json"), "{"));
    copyModel("shape", (dir) => editJson(path.join(dir, "config.json"), { intermediate_size: 64 }));
    copyModel("layer", (dir) => editJson(path.join(dir, "config.json"), { num_hidden_layers: 3 }));
    copyModel("no-template", (dir) =>
      writeFileSync(path.join(dir, "tokenizer_config.json"), '{"eos_token":"<|im_end|>"}'),
    );
    copyModel("nan", (dir) => {
      const file = path.join(dir, "model.safetensors");
      const bytes = readFileSync(file);
      bytes.writeFloatLE(Number.NaN, bytes.length - 4);
      writeFileSync(file, bytes);
    });
  });

  test.each<readonly [ref: string, error: RegExp | string, hint: RegExp | string]>([
    [
      "small",
      'the tokenizer puts the token "<|im_end|>" (id 258) into every text, but the model\'s embedding has rows up to 199 (vocab_size 200)',
      /same model folder/,
    ],
    [
      "gpt",
      /model_type is "gpt_neox", expected one of the supported families: llama, mistral, .*, granite, gpt2$/,
      /own-model\.md/,
    ],
    ["cut", /model\.safetensors is cut short: it has 20000 bytes, and its tensors need \d+$/, /again/],
    ["stub", /is not a safetensors file: it has 4 bytes/, /again/],
    ["no-weights", /^no weights in .*no-weights: looked for model\.safetensors/, /whole Hugging Face model/],
    ["no-tokenizer", /^no tokenizer in .*: looked for tokenizer\.json$/, /whole Hugging Face model/],
    ["bad-tokenizer", /^the tokenizer cannot be used \(.*"model"/, /tokenizer\.json/],
    ["bad-config", /config\.json is not JSON/, /again/],
    [
      "shape",
      /tensor model\.layers\.0\.mlp\.gate_proj\.weight is \[48, 32\], expected \[64, 32\] by config\.json$/,
      /same model/,
    ],
    ["layer", /tensor model\.layers\.2\.\S+ is missing, expected \[32\] by config\.json$/, /same model/],
    ["nan", /tensor \S+ has values that are not finite$/, /again/],
    ["no-template", /the model has no chat template/, /alpaca, vicuna or none/],
    ["modle", /^model 'modle': there is no folder /, "Did you mean model?"],
    [
      "npm:no-such-package-here",
      /the npm package no-such-package-here of the model reference is not installed$/,
      "Run: npm install no-such-package-here",
    ],
    [
      "Qwen/Qwen2-0.5B",
      /^model Qwen\/Qwen2-0\.5B cannot be downloaded, because HF_HUB_OFFLINE is set, and .*; nor is there a folder /,
      /^Unset HF_HUB_OFFLINE/,
    ],
  ])("%s", (ref, error, hint) => fails(run(`model.base=${ref}`), "model", error, hint));

  test("with a target it does not have", () => {
    fails(
      run("adapter.targets=[q_prj]"),
      "model",
      /target 'q_prj' matches no linear layer/,
      /^Did you mean 'q_proj'\?/,
    );
  });

  test("leaves no run folder behind", () => expect(readdirSync(at("runs"))).toEqual(["good"]));
});

describe("an adapter", () => {
  const GOOD = "runs/good/adapter";

  beforeAll(() => {
    writeTinyModel(at("wide"), { hiddenSize: 48 });
    for (const name of ["cut", "empty", "rank", "dora", "config", "no-tensors"])
      cpSync(at(GOOD), at("adapters", name), { recursive: true });
    truncateSync(at("adapters/cut/adapter_model.safetensors"), 3000);
    truncateSync(at("adapters/empty/adapter_model.safetensors"), 0);
    editJson(at("adapters/rank/adapter_config.json"), { r: 8 });
    editJson(at("adapters/dora/adapter_config.json"), { use_dora: true });
    write("adapters/config/adapter_config.json", "{");
    rmSync(at("adapters/no-tensors/adapter_model.safetensors"));
  });

  const score = (adapter: string, model = "model"): string[] => [
    "score",
    "--model",
    model,
    "--data",
    "apples.heldout.jsonl",
    "--adapter",
    adapter,
  ];

  test.each<Case>([
    [
      score(GOOD, "wide"),
      "model",
      /tensor \S+q_proj\.lora_A\.weight is \[4, 32\], expected \[4, 48\]$/,
      /base model that the adapter was trained on/,
    ],
    [
      score("adapters/rank"),
      "model",
      /lora_A\.weight is \[4, 32\], expected \[8, 32\]$/,
      /base model that the adapter was trained on/,
    ],
    [
      ["generate", "--model", "wide", "--prompt", "a", "--adapter", GOOD],
      "model",
      /is \[4, 32\], expected \[4, 48\]$/,
      /trained on/,
    ],
    [score("adapters/cut"), "model", /cut short: it has 3000 bytes/, /again/],
    [score("adapters/empty"), "model", /not a safetensors file: it has 0 bytes/, /again/],
    [score("adapters/config"), "model", /adapter_config\.json is not JSON/, /again/],
    [score("adapters/no-tensors"), "model", /no tensors in adapters\/no-tensors/, /whole folder/],
    [score("runs/good/adaptr"), "model", /no adapter in runs\/good\/adaptr/, "Did you mean runs/good/adapter?"],
    [score("model"), "model", /no adapter in model/, /PEFT/],
  ])("%j", fails);

  test("of a kind that is not supported", () => {
    const { status, stderr } = cli(score("adapters/dora"));
    expect([status, stderr]).toEqual([EXIT_CODES.model, expect.stringMatching(/^error: .*use_dora is set: DoRA/m)]);
  });
});

describe("a flag", () => {
  const generate = (...flags: string[]): string[] => ["generate", "--model", "model", "--prompt", "hi", ...flags];
  const score = (...flags: string[]): string[] => [
    "score",
    "--model",
    "model",
    "--data",
    "apples.heldout.jsonl",
    ...flags,
  ];

  test.each<Case>([
    [generate("--threads", "0"), "config", /'0' is invalid\. Expected a whole number from 1 to 256\.$/, /--help/],
    [
      generate("--threads", "100000"),
      "config",
      /'100000' is invalid\. Expected a whole number from 1 to 256\.$/,
      /--help/,
    ],
    [generate("--max-new-tokens", "-1"), "config", /'-1' is invalid\. Expected a whole number, 1 or more\.$/, /--help/],
    [generate("--temperature", "hot"), "config", /'hot' is invalid\. Expected a number, 0 or more\.$/, /--help/],
    [generate("--temperature", "Infinity"), "config", /'Infinity' is invalid/, /--help/],
    [generate("--temperature", "-0.5"), "config", /'-0\.5' is invalid/, /--help/],
    [generate("--top-p", "1.5"), "config", /Expected a number from 0 to 1\.$/, /--help/],
    [generate("--repetition-penalty", "0"), "config", /Expected a number, 0\.01 or more\.$/, /--help/],
    [generate("--stop", ""), "config", /Expected a text that is not empty\.$/, /--help/],
    [generate("--seed", "-1"), "config", /'-1' is invalid/, /--help/],
    [generate("--seed", "99999999999999999999"), "config", /is invalid/, /--help/],
    [generate("--prompt", " "), "config", /Expected a text that is not empty\.$/, /--help/],
    [
      generate("--prompt", "x".repeat(2000)),
      "config",
      /the prompt has 20\d\d tokens, expected at most 511$/,
      /Shorten/,
    ],
    [["run", "e.yaml", "--out", ""], "config", /Expected a text that is not empty\.$/, /--help/],
    [score("--max-length", "4"), "config", /Expected a whole number, 8 or more\.$/, /--help/],
    [
      score("--max-length", "8"),
      "data",
      "apples.heldout.jsonl: no record has an answer within 8 tokens",
      /Raise --max-length/,
    ],
    [
      ["score", "--model", "model", "--data", "apples.json"],
      "data",
      "no file apples.json",
      "Did you mean apples.jsonl?",
    ],
  ])("%j", fails);

  test("for a longer window than the model has takes the whole one", () => {
    write("beyond.jsonl", `${JSON.stringify({ instruction: "x", response: "y".repeat(900) })}\n`);
    const { status, stderr } = cli(["score", "--model", "model", "--data", "beyond.jsonl", "--max-length", "1000000"]);
    expect([stderr, status]).toEqual(["", 0]);
  });
});

describe("a loss that is not finite", () => {
  test("in every client ends the run with exit code 6, and again when it is typed again", () => {
    const command = [
      "run",
      "e.yaml",
      "--out",
      "runs/diverged",
      ...set("training.learningRate=1e39", "training.localSteps=2"),
    ];
    for (let time = 0; time < 2; time++) {
      fails(
        command,
        "training",
        "Round 1 has 0 usable updates and needs 1 (apples: the loss of step 2 is NaN; bolts: the loss of step 2 is NaN); no round is finished.",
        /^A lower learning rate/,
      );
    }
  });

  // Every step adds 3e38 to the elements of B, and float32 ends at 3.4e38: one step stays finite, two do not.
  const OVERFLOW = set(
    "training.learningRate=3e38",
    "training.localEpochs=1",
    "data.clients.0.train=four.jsonl",
    "federation.rounds=1",
  );

  test("in one client leaves out its update, and the round goes on; the loss of the result is not made up", () => {
    writeTinyData(at("four.jsonl"), "apples", 4);
    const { status, stderr, stdout } = cli(["run", "e.yaml", "--out", "runs/one", ...OVERFLOW]);
    expect(stderr).toContain("round 1 leaves out bolts: the loss of step 2 is NaN\nround 1/1: train loss 5.");
    expect(stdout).toMatch(/apples +2 +5\.\d+ +– +– /);
    expect(stdout).toMatch(/all +4 +5\.\d+ +– +– /);
    expect(status).toBe(0);
    const { rounds, summary } = JSON.parse(readFileSync(at("runs/one/metrics.json"), "utf8")) as {
      rounds: { refused: object; clients: object }[];
      summary: { heldOut: { after: number | null }[] };
    };
    expect(rounds[1]).toMatchObject({ refused: { bolts: "the loss of step 2 is NaN" }, clients: { apples: {} } });
    expect(summary.heldOut.map(({ after }) => after)).toEqual([null, null]);
  });

  test("in one client ends a run that needs both", () => {
    writeTinyData(at("four.jsonl"), "apples", 4);
    const command = ["run", "e.yaml", "--out", "runs/both", ...OVERFLOW, ...set("federation.minClients=2")];
    fails(
      command,
      "training",
      /^Round 1 has 1 usable updates and needs 2 \(bolts: .*\); no round is finished\.$/,
      /learning rate/,
    );
  });
});

describe("a run folder", () => {
  const good = (out: string): string[] => ["run", "e.yaml", "--out", out];

  function damaged(name: string, damage: (dir: string) => void): string[] {
    cpSync(at("runs/good"), at("runs", name), { recursive: true });
    damage(at("runs", name));
    return good(path.join("runs", name));
  }

  test("in whose place there is a file", () => {
    write("file", "");
    fails(
      good("file"),
      "storage",
      /^Cannot write file: there is a file where a folder must be \(EEXIST\)/,
      /run the same command again/,
    );
    fails(good("file/run"), "storage", /a part of the path is a file, not a folder \(ENOTDIR\)/, /again/);
    fails(good("x".repeat(300)), "storage", /a name in it is too long \(ENAMETOOLONG\)/, /again/);
  });

  test("with things in it that are not a run's", () => {
    mkdirSync(at("runs/odd"), { recursive: true });
    write("runs/odd/adapters", "");
    fails(good("runs/odd"), "storage", /^Cannot write runs\/odd\/adapters\/round-0000: /, /again/);
  });

  test.each<readonly [what: string, damage: (dir: string) => void, error: RegExp]>([
    [
      "config.json",
      (dir) => truncateSync(path.join(dir, "config.json"), 10),
      /config\.json is damaged: it is not JSON$/,
    ],
    [
      "a config.json of something else",
      (dir) => writeFileSync(path.join(dir, "config.json"), "[]"),
      /config\.json of the run folder is damaged/,
    ],
    ["metrics.json", (dir) => truncateSync(path.join(dir, "metrics.json"), 10), /metrics\.json is damaged/],
    [
      "its head",
      (dir) => truncateSync(path.join(dir, "exchange/heads/00000003.json"), 10),
      /head of the run is damaged/,
    ],
    [
      "a cell",
      (dir) => truncateSync(path.join(dir, "exchange/cells/round-0000/evaluation.json"), 10),
      /round-0000\/evaluation of the run is damaged/,
    ],
    [
      "a line in the middle of its events",
      (dir) => {
        const file = path.join(dir, "events.jsonl");
        writeFileSync(file, readFileSync(file, "utf8").replace('{"type":"run-start"', "{run-start"));
      },
      /events\.jsonl, line \d+, is damaged: it is not JSON\.$/,
    ],
    [
      "its blobs",
      (dir) => {
        const { adapter } = JSON.parse(readFileSync(path.join(dir, "exchange/heads/00000003.json"), "utf8")) as {
          adapter: string;
        };
        truncateSync(path.join(dir, "exchange/blobs", adapter.slice(0, 2), adapter), 100);
      },
      /blobs\S+ is damaged: its sha256 is \w+, not its name\.$/,
    ],
  ])("with damage to %s", (what, damage, error) => {
    const command = damaged(`damaged ${what}`, damage);
    fails(command, "storage", error, /copy/);
  });

  test("with its last event torn, its adapter damaged: both are made whole", () => {
    const command = damaged("torn", (dir) => {
      truncateSync(path.join(dir, "events.jsonl"), readFileSync(path.join(dir, "events.jsonl")).length - 20);
      truncateSync(path.join(dir, "adapter/adapter_model.safetensors"), 100);
    });
    expect(cli(command).status).toBe(0);
    const adapter = "adapter/adapter_model.safetensors";
    expect(readFileSync(at("runs/torn", adapter))).toEqual(readFileSync(at("runs/good", adapter)));
    const events = (run: string): string[] =>
      readFileSync(at("runs", run, "events.jsonl"), "utf8")
        .trim()
        .split("\n");
    expect(events("torn").map((line) => (JSON.parse(line) as { type: string }).type)).toEqual(
      events("good").map((line) => (JSON.parse(line) as { type: string }).type),
    );
  });

  test("of other settings", () => {
    const command = [...good("runs/good"), ...set("training.learningRate=1e-4")];
    fails(command, "config", /other settings: training\.learningRate was 0\.005, is 0\.0001$/, /--out/);
  });

  test("that another process works in; the lock of a dead one does not count", async () => {
    const other = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60_000)"]);
    const command = damaged("locked", (dir) => writeFileSync(path.join(dir, "lock"), String(other.pid)));
    fails(
      command,
      "storage",
      `another process (${other.pid}) works in the folder runs/locked`,
      /^Wait for it, stop it, or/,
    );
    const gone = new Promise((resolve) => other.once("exit", resolve));
    other.kill();
    await gone;
    expect(cli(command).status).toBe(0);
    for (const content of ["", "garbage"]) {
      write("runs/locked/lock", content);
      expect(cli(command).status).toBe(0);
    }
    expect(readdirSync(at("runs/locked"))).not.toContain("lock");
  });
});

describe("a disk", () => {
  /** A file system of `size` bytes, or read-only, at a new folder; undefined where this process may not mount one. */
  function mounted(name: string, options: string): string | undefined {
    mkdirSync(at(name), { recursive: true });
    if (process.platform !== "linux") return undefined;
    const { status } = spawnSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", at(name)]);
    return status === 0 ? at(name) : undefined;
  }

  function unmount(dir: string): void {
    spawnSync("umount", [dir]);
  }

  const probe = mounted("probe", "size=100k");
  if (probe !== undefined) unmount(probe);
  const onMounts = test.skipIf(probe === undefined);
  const why = probe === undefined ? " (skipped: this process may not mount a small disk)" : "";
  const adapterOf = (run: string): Buffer => readFileSync(path.join(run, "adapter/adapter_model.safetensors"));

  onMounts.each(["8k", "16k", "60k", "100k"])(
    `that is full at %s keeps what is done, and the run goes on once there is room${why}`,
    (size) => {
      const disk = mounted(`full-${size}`, `size=${size}`)!;
      try {
        const command = ["run", "e.yaml", "--out", path.join(disk, "run")];
        fails(
          command,
          "storage",
          /^Cannot write \S+: the disk is full \(ENOSPC\)(; rounds up to \d+ are stored safely)?$/,
          /run the same command again/,
        );
        spawnSync("mount", ["-o", "remount,size=4m", disk]);
        expect(cli(command).status).toBe(0);
        expect(adapterOf(path.join(disk, "run"))).toEqual(adapterOf(at("runs/good")));
      } finally {
        unmount(disk);
      }
    },
  );

  onMounts(`that is full refuses converted weights, and keeps no half of them${why}`, () => {
    const disk = mounted("full-cache", "size=40k")!;
    try {
      const command = ["run", "e.yaml", "--out", "runs/cacheless"];
      const result = cli(command, { OPENFEDLLM_CACHE: disk });
      expectFailure(
        result,
        "storage",
        /^the weights of \S+ cannot be written to \S+: the disk is full \(ENOSPC\)$/,
        /OPENFEDLLM_CACHE/,
      );
      expect(readdirSync(path.join(disk, "weights"))).toEqual([]);
      expect(readdirSync(at("runs"))).not.toContain("cacheless");
    } finally {
      unmount(disk);
    }
  });

  onMounts(`that is read-only is named${why}`, () => {
    const disk = mounted("read-only", "ro,size=100k")!;
    try {
      fails(["run", "e.yaml", "--out", disk], "storage", /the file system is read-only \(EROFS\)/, /again/);
      fails(
        ["run", "e.yaml", "--out", path.join(disk, "run")],
        "storage",
        /^Cannot write \S+read-only\/run: /,
        /again/,
      );
    } finally {
      unmount(disk);
    }
  });

  test.skipIf(process.platform !== "linux")("under stdout that is full is named (Linux: /dev/full)", () => {
    const { status, stderr } = spawnSync("sh", ["-c", '"$0" "$1" config e.yaml > /dev/full', process.execPath, CLI], {
      cwd: folder,
      env: ENV,
      encoding: "utf8",
    });
    expect([stderr.split("\n")[0], status]).toEqual([
      "error: the results cannot be written to stdout: the disk is full (ENOSPC)",
      EXIT_CODES.storage,
    ]);
  });
});

describe("a run that is cut off", () => {
  const child = (out: string, ...more: string[]) =>
    spawn(process.execPath, [CLI, "run", "e.yaml", "--out", out, "--json", ...more], { cwd: folder, env: ENV });

  test("by SIGTERM says how far it came, and goes on", async () => {
    const rounds = set("federation.rounds=60");
    const running = child("runs/term", ...rounds);
    let stderr = "";
    running.stderr.on("data", (chunk: Buffer) => (stderr += String(chunk)));
    running.stdout.on("data", (chunk: Buffer) => {
      if (String(chunk).includes('"round-end"')) running.kill("SIGTERM");
    });
    const status = await new Promise((resolve) => running.once("close", resolve));
    expect(stderr).toMatch(
      /\nStopped in round \d+; (no round is finished, but the|\d+ finished rounds? (is|are) kept, and so are the) updates that clients have sent( since| are kept)\.\nhint: Run the same command again to continue\.\n$/,
    );
    expect(status).toBe(EXIT_CODES.interrupted);
    const again = cli(["run", "e.yaml", "--out", "runs/term", ...rounds]);
    expect([again.status, again.stderr]).toEqual([0, expect.stringMatching(/continuing with round \d+\n/)]);
  });

  test("by a reader that has seen enough is no error, and goes on", async () => {
    const running = child("runs/head");
    let stderr = "";
    running.stderr.on("data", (chunk: Buffer) => (stderr += String(chunk)));
    running.stdout.once("data", () => running.stdout.destroy());
    expect(await new Promise((resolve) => running.once("close", resolve))).toBe(0);
    expect(stderr).not.toContain("error");
    expect(cli(["run", "e.yaml", "--out", "runs/head"]).status).toBe(0);
    expect(readFileSync(at("runs/head/adapter/adapter_model.safetensors"))).toEqual(
      readFileSync(at("runs/good/adapter/adapter_model.safetensors")),
    );
  });
});

test("names in any script, with control characters and path separators, are only names", () => {
  const names = ["Zürich 北京 🏦", "../../escape\u001b[31m\r\nred"];
  write(
    "names.json",
    JSON.stringify({
      ...CONFIG,
      federation: { rounds: 1 },
      data: { ...CONFIG.data, clients: CONFIG.data.clients.map((client, i) => ({ ...client, name: names[i] })) },
    }),
  );
  const { status, stdout, stderr } = cli(["run", "names.json", "--out", "runs/with a space/é"]);
  expect(status).toBe(0);
  expect(stderr).toContain("Zürich 北京 🏦, ../../escape red");
  expect(stdout + stderr).not.toContain("\u001b");
  expect(readdirSync(folder)).not.toContain("escape");
});
