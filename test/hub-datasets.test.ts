import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { parquetWriteBuffer, type SchemaElement } from "hyparquet-writer";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { parseDatasetRef } from "../src/data/dataset-ref.ts";
import { DATASETS } from "../src/data/datasets.ts";
import type { FileReader } from "../src/data/file-reader.ts";
import type { FieldMap } from "../src/data/record.ts";
import type { Row } from "../src/data/row.ts";
import { loadRecords } from "../src/data/source.ts";
import { fileReader } from "../src/node/files.ts";
import { openHub } from "../src/node/hub/hub.ts";
import { HubServer } from "./support/hub-server.ts";

// The rows are our own; files, folders and columns are as they lie on the Hub.
let server: HubServer;
let home: string;
const root = mkdtempSync(path.join(os.tmpdir(), "openfedllm-datasets-"));
let runs = 0;

function reader(env: Record<string, string> = {}): FileReader {
  const all = { HF_ENDPOINT: server.endpoint, HF_HOME: home, OPENFEDLLM_CACHE: path.join(home, "own"), ...env };
  return fileReader(root, () => openHub({ env: all, firstPauseMs: 5 }));
}

function parquet(rows: readonly Row[]): Uint8Array {
  const names = Object.keys(rows[0]!);
  const columnData = names.map((name) => ({ name, data: rows.map((row) => row[name]) }));
  return new Uint8Array(parquetWriteBuffer({ columnData }));
}

const jsonl = (rows: readonly Row[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("");
const one = (rows: readonly Row[], name: string): Record<string, Uint8Array> => ({ [name]: parquet(rows) });

interface Case {
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  /** On the branch refs/convert/parquet. */
  readonly converted?: Readonly<Record<string, Uint8Array>>;
  /** Instruction, input and response of each record by its number; for preferences, the rows. */
  readonly records: Readonly<Record<number, readonly (string | undefined)[]>> | readonly Row[];
  readonly skipped?: number;
}

const alpaca = [
  { instruction: "Add.", input: "1 and 2", output: "3" },
  { instruction: "Greet.", input: "", output: "Hello." },
];
const alpacaRecords = { 1: ["Add.", "1 and 2", "3"], 2: ["Greet.", undefined, "Hello."] };
const README_GSM8K = `---
license: mit
configs:
- config_name: main
  data_files:
  - split: train
    path: main/train-*
  - split: test
    path: main/test-*
- config_name: socratic
  data_files:
  - split: train
    path: socratic/train-*
---
# GSM8K
`;
const README_ULTRA = `---
configs:
- config_name: default
  data_files:
${["train_prefs", "train_sft", "test_prefs", "test_sft", "train_gen", "test_gen"].map((split) => `  - split: ${split}\n    path: data/${split}-*\n`).join("")}---
`;
const messages = (answer: string): Row[] => [
  { content: "Why?", role: "user" },
  { content: answer, role: "assistant" },
];
const ultra = (tag: string): Row => ({
  prompt: "Why?",
  prompt_id: tag,
  chosen: messages("Because."),
  rejected: messages("No."),
  messages: messages("Because."),
  score_chosen: 8,
  score_rejected: 3.5,
});
/** Lists of structs, as `datasets` writes conversations. */
function ultraParquet(tag: string): Uint8Array {
  const row = ultra(tag);
  const text = (name: string): SchemaElement => ({
    name,
    type: "BYTE_ARRAY",
    converted_type: "UTF8",
    repetition_type: "OPTIONAL",
  });
  const conversation = (name: string): SchemaElement[] => [
    { name, repetition_type: "OPTIONAL", converted_type: "LIST", num_children: 1 },
    { name: "list", repetition_type: "REPEATED", num_children: 1 },
    { name: "element", repetition_type: "OPTIONAL", num_children: 2 },
    text("content"),
    text("role"),
  ];
  const column = (name: string): SchemaElement[] => {
    if (Array.isArray(row[name])) return conversation(name);
    return [typeof row[name] === "string" ? text(name) : { name, type: "DOUBLE", repetition_type: "OPTIONAL" }];
  };
  const names = Object.keys(row);
  const schema = [{ name: "root", num_children: names.length }, ...names.flatMap(column)];
  return new Uint8Array(parquetWriteBuffer({ schema, columnData: names.map((name) => ({ name, data: [row[name]] })) }));
}
const hh = (tag: string): Row => ({
  chosen: `\n\nHuman: ${tag}?\n\nAssistant: Yes.`,
  rejected: `\n\nHuman: ${tag}?\n\nAssistant: No.`,
});

const GSM8K: Case = {
  files: {
    "README.md": README_GSM8K,
    "main/train-00000-of-00001.parquet": parquet([{ question: "1 + 1?", answer: "It is two.\n#### 2" }]),
    "main/test-00000-of-00001.parquet": parquet([{ question: "2 + 2?", answer: "#### 4" }]),
    "socratic/train-00000-of-00001.parquet": parquet([{ question: "Who?", answer: "He." }]),
  },
  records: { 1: ["1 + 1?", undefined, "It is two.\n#### 2"] },
};

const CASES: Readonly<Record<string, Case>> = {
  "tatsu-lab/alpaca": {
    files: one(
      alpaca.map((row) => ({ ...row, text: "Below is …" })),
      "data/train-00000-of-00001-a09b74b3ef9c3b56.parquet",
    ),
    records: alpacaRecords,
  },
  "vicgalle/alpaca-gpt4": {
    files: one(
      [...alpaca, { instruction: "Say nothing.", input: "", output: "" }].map((row) => ({
        ...row,
        text: "Below is …",
      })),
      "data/train-00000-of-00001-6ef3991c06080e14.parquet",
    ),
    records: alpacaRecords,
    skipped: 1,
  },
  "yahma/alpaca-cleaned": {
    files: { "README.md": "---\nlicense: cc-by-4.0\n---\n", "alpaca_data_cleaned.json": JSON.stringify(alpaca) },
    records: alpacaRecords,
  },
  "FinGPT/fingpt-sentiment-train": {
    files: one(
      [{ input: "Shares rose.", output: "positive", instruction: "What is the sentiment of this news?" }],
      "data/train-00000-of-00001-dabab110260ac909.parquet",
    ),
    records: { 1: ["What is the sentiment of this news?", "Shares rose.", "positive"] },
  },
  "gbharti/finance-alpaca": {
    files: { "Cleaned_date.json": JSON.stringify(alpaca.map((row) => ({ ...row, text: "" }))) },
    records: alpacaRecords,
  },
  "lucasmccabe-lmi/CodeAlpaca-20k": {
    files: one(alpaca, "data/train-00000-of-00001-e270777bb989ac86.parquet"),
    records: alpacaRecords,
  },
  "WizardLM/WizardLM_evol_instruct_70k": {
    files: { "alpaca_evol_instruct_70k.json": JSON.stringify([{ output: "Yes.", instruction: "Is it?" }]) },
    records: { 1: ["Is it?", undefined, "Yes."] },
  },
  "TIGER-Lab/MathInstruct": {
    files: {
      "MathInstruct.json": JSON.stringify([
        { source: "data/CoT/a.json", output: "2", instruction: "1 + 1" },
        { source: "data/PoT/a.json", output: "print(1 + 1)", instruction: "1 + 1" },
        { source: "data/CoT/b.json", output: "3", instruction: "1 + 2" },
      ]),
    },
    records: { 1: ["1 + 1", undefined, "2"], 3: ["1 + 2", undefined, "3"] },
  },
  "lighteval/MATH": {
    // A program and what it reads; the Hub's own Parquet files are on a branch.
    files: {
      "MATH.py": "import datasets",
      "README.txt": "MATH",
      "data/algebra_test.jsonl": jsonl([{ problem: "no", solution: "no" }]),
      "data/algebra_train.jsonl": jsonl([{ problem: "no", solution: "no" }]),
    },
    converted: {
      "algebra/train/0000.parquet": parquet([{ problem: "other", solution: "other", level: "", type: "" }]),
      "all/train/0000.parquet": parquet([{ problem: "x = 1?", solution: "$x$", level: "Level 1", type: "Algebra" }]),
      "all/train/0001.parquet": parquet([{ problem: "y = 2?", solution: "$y$", level: "Level 5", type: "Geometry" }]),
      "all/test/0000.parquet": parquet([{ problem: "test", solution: "test", level: "", type: "" }]),
    },
    records: { 1: ["x = 1?", undefined, "$x$"], 2: ["y = 2?", undefined, "$y$"] },
  },
  gsm8k: GSM8K,
  "openai/gsm8k": GSM8K,
  "medalpaca/medical_meadow_medical_flashcards": {
    files: {
      "medical_meadow_wikidoc_medical_flashcards.json": JSON.stringify([
        { instruction: "Answer this question truthfully", input: "What is it?", output: "A bone." },
      ]),
    },
    records: { 1: ["What is it?", undefined, "A bone."] },
  },
  "lavita/ChatDoctor-HealthCareMagic-100k": {
    files: one(
      [{ instruction: "If you are a doctor, answer.", input: "It hurts.", output: "Rest." }],
      "data/train-00000-of-00001-5e7cb295b9cff0bf.parquet",
    ),
    records: { 1: ["If you are a doctor, answer.", "It hurts.", "Rest."] },
  },
  "Anthropic/hh-rlhf": {
    files: {
      "README.md": "---\nlicense: mit\n---\n",
      "harmless-base/train.jsonl.gz": gzipSync(jsonl([hh("harmless")])),
      "harmless-base/test.jsonl.gz": gzipSync(jsonl([hh("test")])),
      "helpful-base/train.jsonl.gz": gzipSync(jsonl([hh("helpful")])),
      "helpful-base/test.jsonl.gz": gzipSync(jsonl([hh("test")])),
      "helpful-online/train.jsonl.gz": gzipSync(jsonl([hh("online")])),
      "helpful-online/test.jsonl.gz": gzipSync(jsonl([hh("test")])),
      "helpful-rejection-sampled/train.jsonl.gz": gzipSync(jsonl([hh("sampled")])),
      "helpful-rejection-sampled/test.jsonl.gz": gzipSync(jsonl([hh("test")])),
      "red-team-attempts/red_team_attempts.jsonl.gz": gzipSync(jsonl([{ transcript: "no pair" }])),
    },
    records: ["harmless", "helpful", "online", "sampled"].map(hh),
  },
  "HuggingFaceH4/ultrafeedback_binarized": {
    files: {
      "README.md": README_ULTRA,
      "data/train_sft-00000-of-00001.parquet": ultraParquet("sft"),
      "data/train_prefs-00000-of-00001.parquet": ultraParquet("prefs"),
      ...Object.fromEntries(
        ["test_prefs", "test_sft", "train_gen", "test_gen"].map((split) => [
          `data/${split}-00000-of-00001.parquet`,
          ultraParquet(split),
        ]),
      ),
    },
    records: [ultra("sft")],
  },
};

/** Rows as they are read, by a mapping that takes any of them for a record. */
async function rowsOf(text: string): Promise<Row[]> {
  const fields: FieldMap = text.includes("hh-rlhf")
    ? { prompt: "chosen", completion: "rejected" }
    : { prompt: "prompt", completion: "prompt_id" };
  const { records } = await loadRecords(reader(), text, { fields });
  return records.map((record) => record.fields);
}

/** A Zstandard frame of one block as it is, which is all of the format that can be written by hand. */
function zstdRaw(bytes: Uint8Array): Uint8Array {
  const size = [...new Uint8Array(Uint32Array.of(bytes.length).buffer)];
  const block = [...new Uint8Array(Uint32Array.of(bytes.length * 8 + 1).buffer)].slice(0, 3);
  return Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0, ...size, ...block, ...bytes]);
}

const literally = (text: string): RegExp => new RegExp(`^${text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)}$`);

async function load(text: string, from = reader()): Promise<Record<string, unknown>> {
  const { records } = await loadRecords(from, text);
  return Object.fromEntries(
    records.map(({ id, content }) => [id, content.kind === "instruction" ? content.instruction : content.kind]),
  );
}

beforeAll(async () => {
  server = await HubServer.start();
  for (const [name, { files, converted }] of Object.entries(CASES)) {
    const { hub } = DATASETS[name]!;
    server.push("datasets", hub, files);
    if (converted !== undefined) server.push("datasets", hub, converted, { ref: "refs/convert/parquet" });
  }
});
afterAll(async () => {
  await server.stop();
  rmSync(root, { recursive: true, force: true });
});
beforeEach(() => {
  home = path.join(root, String(++runs));
  server.reset();
});

describe("every registered name", () => {
  it("has a case here and a line in docs/hub.md", () => {
    expect(Object.keys(CASES).sort()).toEqual(Object.keys(DATASETS).sort());
    const page = readFileSync(path.join(import.meta.dirname, "../docs/hub.md"), "utf8");
    for (const name of Object.keys(DATASETS)) expect(page).toContain(`\`${name}\``);
  });

  it.each(Object.keys(CASES))("%s", async (name) => {
    const { records: expected, skipped: left = 0 } = CASES[name]!;
    if (Array.isArray(expected)) {
      expect(DATASETS[name]!.kind).toBe("preference");
      expect(await rowsOf(name)).toEqual(expected);
      return;
    }
    const { records, skipped } = await loadRecords(reader(), name);
    expect(skipped).toHaveLength(left);
    expect(
      Object.fromEntries(
        records.map(({ id, content, source }) => {
          expect(id).toBe(`${DATASETS[name]!.hub}#${source.record}`);
          if (content.kind !== "instruction") return [id, content.kind];
          return [source.record, [content.instruction, content.input, content.response]];
        }),
      ),
    ).toEqual(expected);
  });

  it("keeps the columns that clients may be told apart by", async () => {
    const { records } = await loadRecords(reader(), "lighteval/MATH");
    expect(records.map(({ fields }) => fields["type"])).toEqual(["Algebra", "Geometry"]);
  });

  it("pairs of answers, where a job learns from preferences", async () => {
    const pairs = async (name: string): Promise<unknown[]> =>
      (await loadRecords(reader(), name, { learnFrom: "preferences" })).records.map(({ content }) => content);
    const said = (content: string) => [{ role: "user", content }];
    expect(await pairs("Anthropic/hh-rlhf")).toEqual(
      ["harmless?", "helpful?", "online?", "sampled?"].map((question) => ({
        kind: "preference",
        prompt: said(question),
        chosen: "Yes.",
        rejected: "No.",
      })),
    );
    expect(await pairs("HuggingFaceH4/ultrafeedback_binarized")).toEqual([
      { kind: "preference", prompt: said("Why?"), chosen: "Because.", rejected: "No." },
    ]);
    await expect(loadRecords(reader(), "Anthropic/hh-rlhf")).rejects.toMatchObject({
      kind: "data",
      message: expect.stringContaining("this is preference data"),
    });
  });

  it("`fields` that are given come before a name's own, part by part", async () => {
    server.push("datasets", "vicgalle/alpaca-gpt4", {
      "train.jsonl": jsonl([{ instruction: "Add.", input: "1 and 2", output: "3", better: "It is 3." }]),
    });
    const contents = async (fields: FieldMap): Promise<unknown[]> =>
      (await loadRecords(reader(), "vicgalle/alpaca-gpt4", { fields })).records.map(({ content }) => content);
    const record = { kind: "instruction", instruction: "Add.", input: "1 and 2", response: "3" };
    expect(await contents({})).toEqual([record]);
    expect(await contents({ response: "better" })).toEqual([{ ...record, response: "It is 3." }]);
    expect(await contents({ prompt: "instruction", completion: "better" })).toEqual([
      { kind: "completion", prompt: "Add.", completion: "It is 3." },
    ]);
    await expect(contents({ response: "worse" })).rejects.toMatchObject({
      kind: "data",
      message: expect.stringMatching(/^vicgalle\/alpaca-gpt4 has no column "worse" \(fields\.response\)/),
    });
  });

  it("of a dataset that is gone: the error names what holds the same", async () => {
    server.intercept = (seen, _request, response) => {
      if (!seen.path.includes("/datasets/lighteval/MATH/")) return false;
      response.writeHead(401, { "x-error-message": "Invalid username or password." }).end();
      return true;
    };
    await expect(loadRecords(reader(), "lighteval/MATH")).rejects.toMatchObject({
      kind: "data",
      message: "there is no dataset lighteval/MATH on the Hub, or it is private (401)",
      hint: "It was removed from the Hub; hf:DigitalLearningGmbH/MATH-lighteval holds the same records.",
    });
  });
});

describe("a reference", () => {
  it("takes configuration, split and revision", async () => {
    expect(await load("openai/gsm8k?split=test")).toEqual({ "openai/gsm8k?split=test#1": "2 + 2?" });
    expect(await load("gsm8k@main?config=socratic")).toEqual({ "openai/gsm8k?config=socratic#1": "Who?" });
    expect(await load("hf:openai/gsm8k?config=main")).toEqual({ "openai/gsm8k#1": "1 + 1?" });
    expect((await rowsOf("HuggingFaceH4/ultrafeedback_binarized?split=train_prefs"))[0]!["prompt_id"]).toBe("prefs");
    expect(await rowsOf("hf:Anthropic/hh-rlhf?config=helpful-base")).toEqual([hh("helpful")]);
  });

  it.each([
    [
      "hf:openai/gsm8k",
      "openai/gsm8k has several configurations: main, socratic",
      "Choose one: hf:openai/gsm8k?config=main",
    ],
    ["openai/gsm8k?split=trian", "openai/gsm8k has no split trian", "Did you mean train?"],
    ["openai/gsm8k?config=mian", "openai/gsm8k has no configuration mian", "Did you mean main?"],
    [
      "openai/gsm8k?splt=test",
      "openai/gsm8k?splt=test: unknown parameter 'splt', expected config or split",
      "Did you mean split?",
    ],
    ["openai/gsm8k?split=", "openai/gsm8k?split=: expected one value for split", "For example: ?split=train"],
    ["openai/gsm8k@", "openai/gsm8k@: expected a revision after the @", "Name a branch, a tag or a commit."],
    ["openai/gsm8k@mian", "dataset openai/gsm8k has no revision mian", "Did you mean main?"],
    ["hf:../x", 'hf:../x: expected the name of a dataset after hf:, got "../x"', /^For example: hf:/],
    [
      "tatsu-lab/alpca",
      /^tatsu-lab\/alpca: unknown dataset or data format/,
      "Did you mean tatsu-lab/alpaca? For any dataset of the Hub, write hf:tatsu-lab/alpca.",
    ],
    [
      "acme/own-data",
      /^acme\/own-data: unknown dataset or data format/,
      "For any dataset of the Hub, write hf:acme/own-data.",
    ],
    [
      "lighteval/MATH@main",
      /^lighteval\/MATH is read by a program \(MATH\.py\), which is not run, and the Hub converts no single revision/,
      "Leave the revision out. Or download its files and name those that hold records.",
    ],
  ])("%s", async (text, message, hint) => {
    const error: unknown = await loadRecords(reader(), text).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ kind: "data" });
    const got = error as { message: string; hint: string };
    expect(got.message).toMatch(typeof message === "string" ? literally(message) : message);
    expect(got.hint).toMatch(typeof hint === "string" ? literally(hint) : hint);
  });

  it("is no path, and a path is no reference", async () => {
    writeFileSync(path.join(root, "own.jsonl"), jsonl([{ question: "Mine?", answer: "Yes." }]));
    expect(await load("own.jsonl")).toEqual({ "own.jsonl#1": "Mine?" });
    expect(parseDatasetRef("./tatsu-lab/alpaca")).toBeUndefined();
    await expect(loadRecords({ read: async () => new Uint8Array() }, "tatsu-lab/alpaca")).rejects.toThrow(
      "datasets of the Hugging Face Hub cannot be fetched here",
    );
  });
});

describe("layouts", () => {
  const rows = (question: string): Row[] => [{ question, answer: "Yes." }];
  const layout = async (files: Record<string, string | Uint8Array>, query = ""): Promise<unknown[]> => {
    const id = `acme/layout-${++runs}`;
    server.push("datasets", id, files);
    return Object.values(await load(`hf:${id}${query}`));
  };

  it("shards of a split, in their order, in folders of a configuration too", async () => {
    const shards = (folder: string): Record<string, Uint8Array> => ({
      [`${folder}train-00001-of-00002.parquet`]: parquet(rows("2")),
      [`${folder}train-00000-of-00002.parquet`]: parquet(rows("1")),
      [`${folder}test-00000-of-00001.parquet`]: parquet(rows("3")),
    });
    expect(await layout(shards("data/"))).toEqual(["1", "2"]);
    expect(await layout(shards(""))).toEqual(["1", "2"]);
    expect(
      await layout({ ...shards("en/"), "de/train-00000-of-00001.parquet": parquet(rows("de")) }, "?config=en"),
    ).toEqual(["1", "2"]);
  });

  it("a file a split, folders of splits, or one file", async () => {
    expect(await layout({ "train.csv": "question,answer\na,b\n", "test.csv": "question,answer\nc,d\n" })).toEqual([
      "a",
    ]);
    expect(
      await layout({ "train.csv": "question,answer\na,b\n", "test.csv": "question,answer\nc,d\n" }, "?split=test"),
    ).toEqual(["c"]);
    expect(await layout({ "train/a.jsonl": jsonl(rows("a")), "test/b.jsonl": jsonl(rows("b")) })).toEqual(["a"]);
    expect(
      await layout({ "everything.jsonl": jsonl(rows("a")), "dataset_infos.json": "{}", ".hidden.json": "[]" }),
    ).toEqual(["a"]);
    expect(
      await layout(
        { "train.parquet": parquet(rows("a")), "validation.parquet": parquet(rows("b")) },
        "?split=validation",
      ),
    ).toEqual(["b"]);
    expect(await layout({ "clinic.jsonl": jsonl(rows("a")), "bank.jsonl": jsonl(rows("b")) }, "?split=bank")).toEqual([
      "b",
    ]);
  });

  it("a .json file with a record a line", async () => {
    expect(await layout({ "train.json": jsonl([...rows("a"), ...rows("b")]) })).toEqual(["a", "b"]);
  });

  it("a program of the repository's name, unless README.md names files", async () => {
    const id = "acme/scripted";
    const files = { "scripted.py": "import datasets", "helper.py": "", "train.jsonl": jsonl(rows("raw")) };
    server.push("datasets", id, files);
    const converted = { "default/train/0000.parquet": parquet(rows("made")) };
    server.push("datasets", id, converted, { ref: "refs/convert/parquet" });
    expect(Object.values(await load(`hf:${id}`))).toEqual(["made"]);
    server.push("datasets", id, { ...files, "README.md": "---\nconfigs:\n- data_files: train.jsonl\n---\n" });
    expect(Object.values(await load(`hf:${id}`))).toEqual(["raw"]);
    expect(await layout({ "helper.py": "", "train.jsonl": jsonl(rows("x")) })).toEqual(["x"]);
  });

  it("what README.md says comes first", async () => {
    const head = (configs: string): string => `---\nconfigs:\n${configs}---\n`;
    const files = {
      "a/x.jsonl": jsonl(rows("x")),
      "a/deep/y.jsonl": jsonl(rows("y")),
      "train.jsonl": jsonl(rows("z")),
    };
    const said = (configs: string): Promise<unknown[]> => layout({ "README.md": head(configs), ...files });
    expect(await said("- config_name: default\n  data_files: a/*.jsonl\n")).toEqual(["x"]);
    expect(await said("- config_name: default\n  data_files:\n  - a/**\n  - train.jsonl\n")).toEqual(["y", "x", "z"]);
    expect(
      await said(
        "- config_name: one\n  data_files:\n  - split: train\n    path: ['a/{x,q}.jsonl', 'a/d?ep/[xy].jsonl']\n",
      ),
    ).toEqual(["y", "x"]);
    expect(
      await said("- config_name: one\n  data_dir: a\n- config_name: two\n  default: true\n  data_files: train.jsonl\n"),
    ).toEqual(["z"]);
    expect(await layout({ "README.md": head("- config_name: one\n  data_dir: a\n"), ...files }, "?config=one")).toEqual(
      ["y", "x"],
    );
    expect(await layout({ "README.md": "---\n: not [ yaml\n---\n", ...files })).toEqual(["z"]);
  });

  it.each([
    ["gzip", "GZIP", (bytes: Uint8Array) => gzipSync(bytes)],
    ["zstd", "ZSTD", zstdRaw],
  ] as const)("Parquet packed with %s", async (_name, codec, pack) => {
    const compressors = { [codec]: (bytes: Uint8Array) => new Uint8Array(pack(bytes)) };
    const columnData = [
      { name: "question", data: ["Why?", "Who?"], type: "STRING" as const },
      { name: "answer", data: ["So.", "Me."], type: "STRING" as const },
    ];
    const file = parquetWriteBuffer({ columnData, codec, compressors, rowGroupSize: 1 });
    expect(await layout({ "train.parquet": new Uint8Array(file) })).toEqual(["Why?", "Who?"]);
  });

  it("a commit that broke off is not what the branch is at without the Hub", async () => {
    const id = "acme/half";
    const commit = (word: string): Record<string, string | Uint8Array> => ({
      "README.md": `# ${word}`,
      "train.parquet": parquet(rows(word)),
    });
    const offline = (): Promise<Record<string, unknown>> => load(`hf:${id}`, reader({ HF_HUB_OFFLINE: "1" }));
    server.push("datasets", id, commit("old"));
    await load(`hf:${id}`);
    server.push("datasets", id, commit("new"));
    server.cuts.push(100, 0, 0, 0, 0, 0);
    await expect(load(`hf:${id}`)).rejects.toThrow("broke off");
    expect(Object.values(await offline())).toEqual(["old"]);
    server.cuts.length = 0;
    expect(Object.values(await load(`hf:${id}`))).toEqual(["new"]);
    expect(Object.values(await offline())).toEqual(["new"]);
  });

  it.each([[{ "README.md": "# A program" }], [{}]])("a converted one is found again without the Hub", async (about) => {
    const id = `acme/program-${++runs}`;
    server.push("datasets", id, { "program.py": "import datasets", ...about });
    const converted = { "default/train/0000.parquet": parquet(rows("x")) };
    server.push("datasets", id, converted, { ref: "refs/convert/parquet" });
    expect(Object.values(await load(`hf:${id}`))).toEqual(["x"]);
    expect(Object.values(await load(`hf:${id}`, reader({ HF_HUB_OFFLINE: "1" })))).toEqual(["x"]);
  });

  it("a cache that holds some of the shards is not taken for the dataset", async () => {
    const id = "acme/shards";
    const files = {
      "data/train-00000-of-00002.parquet": parquet(rows("1")),
      "data/train-00001-of-00002.parquet": parquet(rows("2")),
    };
    server.push("datasets", id, files);
    const env = { HF_HUB_OFFLINE: "1", OPENFEDLLM_CACHE: path.join(home, "none") };
    const snapshot = await openHub({ env: { HF_ENDPOINT: server.endpoint, HF_HOME: home } }).snapshot("dataset", id);
    await snapshot.fetch(["data/train-00000-of-00002.parquet"]);
    await expect(load(`hf:${id}`, reader(env))).rejects.toMatchObject({
      kind: "data",
      message: "acme/shards: only 1 of the 2 files data/train-… are there",
    });
    await snapshot.fetch(["data/train-00001-of-00002.parquet"]);
    expect(Object.values(await load(`hf:${id}`, reader(env)))).toEqual(["1", "2"]);
  });
});
