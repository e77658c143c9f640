import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parquetWriteBuffer, type SchemaElement } from "hyparquet-writer";
import { afterAll, beforeAll, expect, it } from "vitest";
import { benchmarkData } from "../src/evaluation/benchmark-data.ts";
import { BENCHMARKS } from "../src/evaluation/benchmark-registry.ts";
import { fileReader } from "../src/node/files.ts";
import { openHub } from "../src/node/hub/hub.ts";
import { DEFAULTS } from "./support/benchmark-data.ts";
import { HubServer } from "./support/hub-server.ts";

// The rows are our own; files, folders and columns are as they lie on the Hub.
let server: HubServer;
const root = mkdtempSync(path.join(os.tmpdir(), "openfedllm-hub-benchmarks-"));
beforeAll(async () => {
  server = await HubServer.start();
});
afterAll(async () => {
  await server.stop();
  rmSync(root, { recursive: true, force: true });
});

const column = (name: string, data: readonly unknown[]) => ({ name, data: [...data] });
const parquet = (columns: Readonly<Record<string, readonly unknown[]>>): Uint8Array =>
  new Uint8Array(parquetWriteBuffer({ columnData: Object.entries(columns).map(([name, data]) => column(name, data)) }));

/** A list of texts and an integer of 64 bits, as `datasets` writes them. */
function mmluParquet(subjects: readonly string[]): Uint8Array {
  const text = (name: string): SchemaElement => ({
    name,
    type: "BYTE_ARRAY",
    converted_type: "UTF8",
    repetition_type: "OPTIONAL",
  });
  const schema: SchemaElement[] = [
    { name: "root", num_children: 4 },
    text("question"),
    text("subject"),
    { name: "choices", repetition_type: "OPTIONAL", converted_type: "LIST", num_children: 1 },
    { name: "list", repetition_type: "REPEATED", num_children: 1 },
    text("element"),
    { name: "answer", type: "INT64", repetition_type: "OPTIONAL" },
  ];
  const columnData = [
    column(
      "question",
      subjects.map((subject) => `Which belongs to ${subject}?`),
    ),
    column("subject", subjects),
    column(
      "choices",
      subjects.map(() => ["a bone", "a law", "a star", "a tune"]),
    ),
    column(
      "answer",
      subjects.map((_, i) => BigInt(i % 4)),
    ),
  ];
  return new Uint8Array(parquetWriteBuffer({ schema, columnData }));
}

const load = (name: string, shots?: number) => {
  const env = { HF_ENDPOINT: server.endpoint, HF_HOME: root, OPENFEDLLM_CACHE: path.join(root, "own") };
  const reader = fileReader(root, () => openHub({ env, firstPauseMs: 5 }));
  return BENCHMARKS[name]!.load(benchmarkData(reader, undefined), { ...DEFAULTS, shots });
};

it("takes MMLU from the configuration of all subjects, and its medical ones from the same", async () => {
  server.push("datasets", "cais/mmlu", {
    "README.md":
      "---\nconfigs:\n- config_name: all\n  data_files:\n  - split: test\n    path: all/test-*\n  - split: dev\n    path: all/dev-*\n---\n",
    "all/test-00000-of-00001.parquet": mmluParquet(["anatomy", "astronomy", "anatomy"]),
    "all/dev-00000-of-00001.parquet": mmluParquet(["anatomy", "astronomy"]),
  });
  const questions = await load("mmlu", 1);
  expect(questions.map(({ id }) => id)).toEqual(["anatomy/0", "astronomy/0", "anatomy/1"]);
  expect(questions[2]).toMatchObject({ right: 2, choices: ["a bone", "a law", "a star", "a tune"] });
  expect(questions[1]!.context!.shots[0]).toMatch(/^Which belongs to astronomy\?[^]*Answer: B$/);
  expect((await load("mmlu-medical", 1)).map(({ id }) => id)).toEqual(["anatomy/0", "anatomy/1"]);
});

it("takes the medical examinations' own files and splits", async () => {
  const row = { question: "What?", answer: "c", options: { A: "a", B: "b", C: "c", D: "d" }, answer_idx: "C" };
  const line = `${JSON.stringify(row)}\n`;
  server.push("datasets", "GBaker/MedQA-USMLE-4-options", {
    "phrases_no_exclude_test.jsonl": line,
    "phrases_no_exclude_train.jsonl": line.repeat(3),
  });
  expect(await load("medqa", 2)).toMatchObject([{ right: 2, context: { shots: { length: 2 } } }]);
  const exam = (cop: number) => ({
    ...Object.fromEntries(["question", "opa", "opb", "opc", "opd", "subject_name"].map((name) => [name, ["x y"]])),
    cop: [BigInt(cop)],
  });
  server.push("datasets", "openlifescienceai/medmcqa", {
    "data/test-00000-of-00001.parquet": parquet(exam(-1)),
    "data/train-00000-of-00001.parquet": parquet(exam(0)),
    "data/validation-00000-of-00001.parquet": parquet(exam(3)),
  });
  expect(await load("medmcqa")).toMatchObject([{ right: 3, group: "x y" }]);
});

it("finds PubMedQA's test questions among all", async () => {
  const numbers = Array.from({ length: 1000 }, (_, i) => i);
  server.push("datasets", "qiaojin/PubMedQA", {
    "pqa_labeled/train-00000-of-00001.parquet": parquet({
      pubid: numbers,
      question: numbers.map((i) => `Is it ${i}?`),
      context: numbers.map((i) => ({ contexts: [`It is ${i}.`, "So it is."] })),
      final_decision: numbers.map((i) => ["yes", "no", "maybe", "yes"][i % 4]!),
    }),
  });
  const questions = await load("pubmedqa");
  expect(questions).toHaveLength(500);
  const [first] = questions;
  expect(first!.turns[0]).toBe(`Abstract: It is ${first!.id}.\nSo it is.\nQuestion: Is it ${first!.id}?\nAnswer:`);
});

it("takes the financial sets, also one the Hub has converted", async () => {
  const sentences = ["Up .", "Down .", "Flat .", "Same ."];
  const converted = parquet({ sentence: sentences, label: [2n, 0n, 1n, 1n] });
  server.push("datasets", "takala/financial_phrasebank", { "financial_phrasebank.py": "pass" });
  server.push(
    "datasets",
    "takala/financial_phrasebank",
    { "sentences_50agree/train/0000.parquet": converted },
    { ref: "refs/convert/parquet" },
  );
  // numpy.random.default_rng(42).permutation(4)[0] is 3.
  expect(await load("fpb")).toMatchObject([{ id: "sentence/4", sentiment: "neutral" }]);
  const csv = 'sentence,snippets,target,sentiment_score,aspects,format,label\n"Up, up",[],X,0.5,[],post,positive\n';
  server.push("datasets", "pauri32/fiqa-2018", { "train.csv": csv, "validation.csv": csv, "test.csv": csv });
  expect(await load("fiqa")).toMatchObject([{ sentiment: "positive" }]);
  server.push("datasets", "zeroshot/twitter-financial-news-sentiment", {
    "sent_train.csv": "text,label\nup,1\n",
    "sent_valid.csv": 'text,label\n"$X down, again",0\nup,1\n',
  });
  expect(await load("tfns")).toMatchObject([{ sentiment: "negative" }, { sentiment: "positive" }]);
  server.push("datasets", "oliverwang15/news_with_gpt_instructions", {
    "data/test-00000-of-00001.parquet": parquet({ news: ["Up."], label: ["mildly positive"] }),
    "data/train-00000-of-00001.parquet": parquet({ news: ["Down."], label: ["strong negative"] }),
  });
  expect(await load("nwgi", 1)).toMatchObject([{ sentiment: "neutral", context: { shots: { length: 1 } } }]);
});
