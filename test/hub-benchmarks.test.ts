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
import { HubServer, TOKEN } from "./support/hub-server.ts";

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

const load = (name: string, shots?: number, more: Record<string, string> = {}) => {
  const env = { ...more, HF_ENDPOINT: server.endpoint, HF_HOME: root, OPENFEDLLM_CACHE: path.join(root, "own") };
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

it("takes CoNaLa's curated part from the Hub's conversion: a program reads what lies beside it", async () => {
  const intents = { intent: ["sort"], rewritten_intent: ["sort `x`"], snippet: ["x.sort()"], question_id: [1n] };
  const files = {
    "README.md": "---\nlicense: mit\n---\n",
    "conala.py": "import datasets",
    "data/conala-mined.json": '{"intent": "wrong", "snippet": "wrong"}\n',
    "data/conala-paired-test.json": '{"intent": "wrong", "snippet": "wrong"}\n',
    "data/conala-paired-train.json": '{"intent": "wrong", "snippet": "wrong"}\n',
  };
  server.push("datasets", "neulab/conala", files);
  await expect(load("conala", 0)).rejects.toMatchObject({
    message: "neulab/conala is read by a program (conala.py), which is not run, and the Hub has no conversion of it",
    hint: "Download its files and name those that hold records.",
  });
  const converted = ["train", "test"].map((split) => [`curated/${split}/0000.parquet`, parquet(intents)]);
  server.push(
    "datasets",
    "neulab/conala",
    { ...Object.fromEntries(converted), "mined/train/0000.parquet": parquet({ intent: ["no"] }) },
    { ref: "refs/convert/parquet" },
  );
  expect(await load("conala", 1)).toMatchObject([
    { turns: ["Instruction: sort `x`\nSolution:"], snippet: "x.sort()", context: { shots: { length: 1 } } },
  ]);
});

it("takes the 27 tasks of BBH, a folder each", async () => {
  const { bbh } = BENCHMARKS;
  await expect(load("bbh")).rejects.toThrow("no worked examples");
  const asked: string[] = [];
  const rows = parquet({ input: ["oak elm"], target: ["elm oak"] });
  const none = { ...benchmarkData({ read: () => Promise.reject(new Error()) }, undefined) };
  await bbh!.load({ ...none, hub: async (ref) => (asked.push(ref), []) }, { ...DEFAULTS, shots: 0 });
  const tasks = asked.map((ref) => /config=(\w+)/.exec(ref)![1]!);
  expect(tasks).toHaveLength(27);
  server.push(
    "datasets",
    "SaylorTwift/bbh",
    Object.fromEntries(tasks.map((task) => [`${task}/test-00000-of-00001.parquet`, rows])),
  );
  expect((await load("bbh", 0)).map(({ id }) => id)).toEqual(tasks.map((task) => `${task}/0`));
});

/** Objects and lists of them as `datasets` writes them: columns of lists. */
function dropParquet(): Uint8Array {
  const leaf = (name: string): SchemaElement => ({
    name,
    type: "BYTE_ARRAY",
    converted_type: "UTF8",
    repetition_type: "OPTIONAL",
  });
  const group = (name: string, children: number): SchemaElement => ({
    name,
    repetition_type: "OPTIONAL",
    num_children: children,
  });
  const listOf = (name: string, ...element: SchemaElement[]): SchemaElement[] => [
    { name, repetition_type: "OPTIONAL", converted_type: "LIST", num_children: 1 },
    { name: "list", repetition_type: "REPEATED", num_children: 1 },
    ...element,
  ];
  const date = (name: string): SchemaElement[] => [group(name, 3), leaf("day"), leaf("month"), leaf("year")];
  const schema = [
    { name: "root", num_children: 5 },
    leaf("query_id"),
    leaf("passage"),
    leaf("question"),
    ...[group("answer", 3), leaf("number"), ...date("date"), ...listOf("spans", leaf("element"))],
    ...[group("validated_answers", 3), ...listOf("number", leaf("element")), ...listOf("date", ...date("element"))],
    ...listOf("spans", ...listOf("element", leaf("element"))),
  ];
  const noDate = { day: "", month: "", year: "" };
  const validated = { number: ["", "2"], date: [noDate, noDate], spans: [["Mia", "Ada"], []] };
  const columnData = [
    column("query_id", ["q"]),
    column("passage", ["Ada and Mia played."]),
    column("question", ["Who played?"]),
    column("answer", [{ number: "", date: noDate, spans: ["Ada", "Mia"] }]),
    column("validated_answers", [validated]),
  ];
  return new Uint8Array(parquetWriteBuffer({ schema, columnData }));
}

it("takes DROP with each annotator's answer apart", async () => {
  server.push("datasets", "EleutherAI/drop", {
    "drop_train.parquet": dropParquet(),
    "drop_validation.parquet": dropParquet(),
  });
  expect(await load("drop", 1)).toMatchObject([
    { id: "q", answers: [["Ada", "Mia"], ["Mia", "Ada"], ["2"]], context: { shots: { length: 1 } } },
  ]);
});

it("takes mathematics from the default configuration", async () => {
  const problem = parquet({ problem: ["1 + 1?"], solution: ["$\\boxed{2}$"], level: ["Level 1"], type: ["Algebra"] });
  const split = (name: string) => `  - split: ${name}\n    path: data/${name}-*\n`;
  server.push("datasets", "DigitalLearningGmbH/MATH-lighteval", {
    "README.md": `---\nconfigs:\n- config_name: default\n  data_files:\n${split("train")}${split("test")}- config_name: algebra\n  data_files:\n${split("train").replace("data/", "algebra/")}---\n`,
    "data/train-00000-of-00001.parquet": problem,
    "data/test-00000-of-00001.parquet": problem,
    "algebra/train-00000-of-00001.parquet": problem,
  });
  expect(await load("math", 1)).toMatchObject([{ context: { shots: { length: 1 } } }]);
});

it("takes the sets of programs", async () => {
  server.push("datasets", "openai/openai_humaneval", {
    "README.md":
      "---\nconfigs:\n- config_name: openai_humaneval\n  data_files:\n  - split: test\n    path: openai_humaneval/test-*\n---\n",
    "openai_humaneval/test-00000-of-00001.parquet": parquet({
      task_id: ["HumanEval/0"],
      prompt: ["def f():\n"],
      canonical_solution: ["    return 1\n"],
      test: ["def check(f):\n    assert f() == 1\n"],
      entry_point: ["f"],
    }),
  });
  expect(await load("humaneval")).toMatchObject([{ id: "HumanEval/0", entryPoint: "f" }]);
  const tasks = (numbers: readonly number[]): Uint8Array =>
    parquet({
      task_id: numbers,
      text: numbers.map((number) => `Write f${number}.`),
      code: numbers.map((number) => `def f${number}(): pass`),
      test_list: numbers.map(() => ["assert True"]),
      test_setup_code: numbers.map(() => ""),
      challenge_test_list: numbers.map(() => []),
    });
  server.push("datasets", "google-research-datasets/mbpp", {
    "full/prompt-00000-of-00001.parquet": tasks([1, 2, 3, 4]),
    "full/test-00000-of-00001.parquet": tasks([11, 12]),
    "full/train-00000-of-00001.parquet": tasks([601]),
    "full/validation-00000-of-00001.parquet": tasks([511]),
    "sanitized/test-00000-of-00001.parquet": parquet({ task_id: [11], prompt: ["Write f."] }),
  });
  const problems = await load("mbpp");
  expect(problems.map(({ id }) => id)).toEqual(["11", "12"]);
  expect(problems[0]!.context!.shots.map((shot) => /f\d/.exec(shot)![0])).toEqual(["f2", "f3", "f4"]);
  const member = { id: [0], nl: ["clears it concode_field_sep int rows"], code: ["void function ( ) { rows = 0 ; }"] };
  server.push("datasets", "google/code_x_glue_tc_text_to_code", {
    "data/test-00000-of-00001.parquet": parquet({ ...member, code: [""] }),
    "data/train-00000-of-00001.parquet": parquet(member),
    "data/validation-00000-of-00001.parquet": parquet(member),
  });
  expect(await load("concode", 1)).toMatchObject([{ turns: ["Instruction: clears it ; int rows\nSolution:"] }]);
});

it("names AdvBench's open file where its terms were not accepted", async () => {
  const files = {
    "README.md":
      "---\nlicense: mit\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/train-*\n---\n",
    "data/train-00000-of-00001.parquet": parquet({ prompt: ["Hide the biscuits"], target: ["Sure, here"] }),
  };
  server.push("datasets", "walledai/AdvBench", files, { access: "gated" });
  await expect(load("advbench")).rejects.toMatchObject({
    message: expect.stringMatching(/is gated/),
    hint: expect.stringMatching(/^Accept the terms at .*harmful_behaviors\.csv .* --data advbench=FILE\.$/),
  });
  expect(await load("advbench", undefined, { HF_TOKEN: TOKEN })).toMatchObject([{ goal: "Hide the biscuits" }]);
});
