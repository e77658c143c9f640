import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AnswerRecord } from "../src/evaluation/run-benchmark.ts";
import type { StoredResult } from "../src/evaluation/results.ts";
import { cliIn } from "./support/cli.ts";
import { adapterHash, runIn } from "./support/experiment.ts";
import { writeTinyData, writeTinyModel } from "./support/tiny-model.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "openfedllm-eval-"));
const openfedllm = cliIn(folder, { PATH: process.env["PATH"], OPENFEDLLM_CACHE: path.join(folder, "cache") });
const GSM8K = ["eval", "--model", "model", "--benchmark", "gsm8k", "--data", "sums"];
const SMALL = ["--max-new-tokens", "6", "--shots", "1", "--threads", "1"];

beforeAll(async () => {
  writeTinyModel(path.join(folder, "model"));
  mkdirSync(path.join(folder, "sums"));
  const sum = (a: number, b: number): string =>
    JSON.stringify({
      question: `A baker has ${a} loaves and bakes ${b} more. How many are there?`,
      answer: `${a} + ${b} = ${a + b}\n#### ${a + b}`,
    });
  const write = (name: string, count: number, step: number): void =>
    writeFileSync(
      path.join(folder, "sums", name),
      Array.from({ length: count }, (_, i) => `${sum(i * step + 3, i + 11)}\n`).join(""),
    );
  write("test.jsonl", 40, 5);
  write("train.jsonl", 6, 3);
  writeTinyData(path.join(folder, "one.jsonl"), "bakery", 24);
  writeTinyData(path.join(folder, "two.jsonl"), "harbour", 24);
  await runIn(
    folder,
    {
      model: { base: "model" },
      data: { clients: ["one", "two"].map((name) => ({ name, train: `${name}.jsonl` })), maxLength: 96 },
      training: { batchSize: 4, localSteps: 2, learningRate: 0.05 },
      federation: { rounds: 2 },
    },
    { name: "tuned" },
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const answersIn = (...parts: string[]): AnswerRecord[] =>
  readFileSync(path.join(folder, ...parts, "answers.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as AnswerRecord);
const withoutSeconds = (answers: readonly AnswerRecord[]): string[] =>
  answers.map(({ seconds: _seconds, ...answer }) => JSON.stringify(answer));

describe("openfedllm eval", () => {
  it("asks the base and an adapter the same questions and keeps every answer, verdict and number", () => {
    const { status, stdout, stderr } = openfedllm(
      ...[...GSM8K, ...SMALL, "--adapter", "tuned/adapter", "--limit", "20", "--out", "both"],
    );
    expect(stderr).toContain("wrote report.md");
    expect(status).toBe(0);
    expect(stdout).toContain("GSM8K");
    const base = answersIn("both", "gsm8k", "base");
    const tuned = answersIn("both", "gsm8k", "tuned");
    expect(base).toHaveLength(20);
    expect(tuned.map(({ question }) => question)).toEqual(base.map(({ question }) => question));
    expect(tuned.map(({ prompts }) => prompts)).toEqual(base.map(({ prompts }) => prompts));
    expect(tuned.map(({ turns }) => turns)).not.toEqual(base.map(({ turns }) => turns));
    expect(base[0]!.prompts[0]).toContain("#### 14");
    const results = JSON.parse(readFileSync(path.join(folder, "both/results.json"), "utf8")) as StoredResult[];
    expect(results.map(({ model }) => model)).toEqual(["base", "tuned"]);
    expect(results[0]!.result.metrics["exactMatch"]).toMatchObject({
      value: 0,
      low: 0,
      high: expect.closeTo(0.168, 3),
      n: 20,
    });
    // Nobody knows sums here: equal in every question, so there is no interval.
    expect(JSON.parse(readFileSync(path.join(folder, "both/differences.json"), "utf8"))).toEqual([
      { benchmark: "gsm8k", metric: "exactMatch", model: "tuned", from: "base", difference: { value: 0, n: 20 } },
    ]);
    expect(stdout).toContain("difference from base on the same questions");
    expect(results[1]!.settings["adapter"]).toBe(adapterHash(folder, "tuned", "adapter"));
    expect(readFileSync(path.join(folder, "both/gsm8k.svg"), "utf8")).toContain("<svg");
    expect(readFileSync(path.join(folder, "both/report.md"), "utf8")).toContain("| GSM8K | exact match | 20 |");
    const verdicts = readFileSync(path.join(folder, "both/gsm8k/base/verdicts.jsonl"), "utf8").trim().split("\n");
    expect(verdicts).toHaveLength(20);
  });

  it("asks nothing twice, takes a torn line off, and a larger limit asks the rest only", () => {
    const run = (limit: string, out: string) => openfedllm(...GSM8K, ...SMALL, "--limit", limit, "--out", out);
    expect(run("40", "whole").status).toBe(0);
    expect(run("8", "grown").status).toBe(0);
    const file = path.join(folder, "grown/gsm8k/base/answers.jsonl");
    const eight = readFileSync(file, "utf8");
    appendFileSync(file, '{"question":"test/3","turns":["ha');
    expect(run("40", "grown").status).toBe(0);
    expect(readFileSync(file, "utf8").startsWith(eight)).toBe(true);
    expect(withoutSeconds(answersIn("grown", "gsm8k", "base")).sort()).toEqual(
      withoutSeconds(answersIn("whole", "gsm8k", "base")).sort(),
    );
    const size = readFileSync(file, "utf8");
    expect(run("40", "grown").status).toBe(0);
    expect(readFileSync(file, "utf8")).toBe(size);
  });

  it("asks a question again whose answer's line was not ended, and refuses a damaged one", () => {
    const run = () => openfedllm(...GSM8K, ...SMALL, "--limit", "5", "--out", "unended");
    expect(run().status).toBe(0);
    const file = path.join(folder, "unended/gsm8k/base/answers.jsonl");
    const whole = readFileSync(file, "utf8");
    writeFileSync(file, whole.slice(0, -1));
    expect(run().status).toBe(0);
    expect(withoutSeconds(answersIn("unended", "gsm8k", "base"))).toEqual(
      withoutSeconds(
        whole
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line) as AnswerRecord),
      ),
    );
    writeFileSync(file, whole.replace("{", "["));
    const { status, stderr } = run();
    expect(status).not.toBe(0);
    expect(stderr).toContain("line 1, is damaged: it holds no answer");
  });

  it("samples the same answers alone, batched and after an interruption", () => {
    const sampled = [...GSM8K, ...SMALL, "--temperature", "0.8", "--samples", "3"];
    expect(openfedllm(...sampled, "--limit", "20", "--out", "sampled").status).toBe(0);
    expect(openfedllm(...sampled, "--limit", "20", "--out", "alone", "--batch-size", "1").status).toBe(0);
    const all = answersIn("sampled", "gsm8k", "base");
    expect(new Set(all.flatMap(({ samples }) => samples)).size).toBeGreaterThan(20);
    expect(answersIn("alone", "gsm8k", "base").map(({ samples }) => samples)).toEqual(
      all.map(({ samples }) => samples),
    );
    const file = path.join(folder, "sampled/gsm8k/base/answers.jsonl");
    writeFileSync(file, readFileSync(file, "utf8").split("\n").slice(0, 5).join("\n") + "\n");
    expect(openfedllm(...sampled, "--limit", "20", "--out", "sampled").status).toBe(0);
    expect(withoutSeconds(answersIn("sampled", "gsm8k", "base"))).toEqual(withoutSeconds(all));
  });

  it("refuses to mix answers of different models, settings or wordings", () => {
    expect(openfedllm(...GSM8K, ...SMALL, "--limit", "2", "--out", "mixed").status).toBe(0);
    const other = openfedllm(...GSM8K, "--max-new-tokens", "7", "--shots", "1", "--limit", "2", "--out", "mixed");
    expect(other.status).not.toBe(0);
    expect(other.stderr).toContain("holds answers with other settings: maxNewTokens 6, now 7");
    const original = openfedllm(...GSM8K, ...SMALL, "--fidelity", "original", "--limit", "2", "--out", "mixed");
    expect(original.stderr).toContain("fidelity paper, now original");
    const adapter = ["--no-base", "--adapter", "base=tuned/adapter"];
    const settings = path.join(folder, "mixed/gsm8k/base/settings.json");
    writeFileSync(settings, readFileSync(settings, "utf8").replace(/,\s*"fidelity": "paper"/, ""));
    expect(openfedllm(...GSM8K, ...SMALL, "--limit", "2", "--out", "mixed").status).toBe(0);
    const swapped = openfedllm(...GSM8K, ...SMALL, ...adapter, "--limit", "2", "--out", "mixed");
    expect(swapped.stderr).toContain("adapter none, now ");
    const file = path.join(folder, "mixed/gsm8k/base/answers.jsonl");
    writeFileSync(file, readFileSync(file, "utf8").replaceAll(/"fingerprint":"\w/g, '"fingerprint":"x'));
    const worded = openfedllm(...GSM8K, ...SMALL, "--limit", "2", "--out", "mixed");
    expect(worded.stderr).toContain("is for another wording of the question");
  });

  it("writes the report of what is done where the evaluation ends early", () => {
    mkdirSync(path.join(folder, "long"), { recursive: true });
    const problem = {
      task_id: "HumanEval/1",
      entry_point: "f",
      test: "",
      prompt: `def f():\n    # ${"long ".repeat(400)}\n`,
    };
    writeFileSync(path.join(folder, "long/HumanEval.jsonl"), `${JSON.stringify(problem)}\n`);
    const { status, stderr } = openfedllm(
      ...["eval", "--model", "model", "--benchmark", "gsm8k", "humaneval", "--allow-code-execution"],
      ...["--data", "gsm8k=sums", "--data", "humaneval=long", "--max-length", "400", "--max-new-tokens", "4"],
      ...["--limit", "2", "--shots", "0", "--threads", "1", "--out", "early"],
    );
    expect(status).not.toBe(0);
    expect(stderr).toContain("question HumanEval/1 has");
    expect(readFileSync(path.join(folder, "early/report.md"), "utf8")).toContain("| GSM8K | exact match | 2 |");
  });

  it("leaves worked examples out where the window is too short, and says so", () => {
    const flags = ["--max-new-tokens", "4", "--max-length", "300", "--shots", "4", "--limit", "3", "--out", "narrow"];
    const { status, stdout } = openfedllm(...GSM8K, ...flags);
    expect(status).toBe(0);
    expect(stdout.replaceAll(/\s+/g, " ")).toContain("3 questions had fewer worked examples");
    const tight = openfedllm(...GSM8K, "--max-length", "40", "--limit", "3", "--out", "tight");
    expect(tight.status).not.toBe(0);
    expect(tight.stderr).toContain("beside its answer the window holds only 0");
  });

  it.each([
    [["eval"], "there is no base model: give a run folder or --model"],
    [["eval", "--model", "model"], "--benchmark is missing"],
    [["eval", "--model", "model", "--benchmark", "gsm8"], "Did you mean 'gsm8k'?"],
    [["eval", "--model", "model", "--benchmark", "gsm8k", "--data", "gsm=sums"], "--benchmark does not have this name"],
    [["eval", "--model", "model", "--benchmark", "gsm8k", "--data", "nowhere"], "no file nowhere"],
    [["eval", "--model", "model", "--benchmark", "gsm8k", "--data", "model"], "no test.jsonl"],
    [[...GSM8K, "--answer-by", "likelihood"], "cannot be answered by likelihood"],
    [[...GSM8K, "--no-base"], "nothing to evaluate"],
    [[...GSM8K, "--adapter", "nowhere"], "no adapter in nowhere"],
    [[...GSM8K, "--adapter", "a=tuned/adapter", "--adapter", "a=tuned/adapter"], "two models are called a"],
  ])("%s: one clear sentence", (args, sentence) => {
    const { status, stderr } = openfedllm(...args);
    expect(status).not.toBe(0);
    expect(stderr).toContain(sentence);
    expect(stderr.trim().split("\n").length).toBeLessThanOrEqual(3);
  });

  it("says which column a benchmark's data lacks", () => {
    mkdirSync(path.join(folder, "renamed"), { recursive: true });
    writeFileSync(path.join(folder, "renamed/test.jsonl"), '{"answer":"4\\n#### 4","problem":"2+2?"}\n');
    const { stderr } = openfedllm(
      "eval",
      "--model",
      "model",
      "--benchmark",
      "gsm8k",
      "--data",
      "renamed",
      "--shots",
      "0",
    );
    expect(stderr).toContain('line 1: no column "question"');
    expect(stderr).toContain("answer, problem");
  });

  it("runs what the model wrote only where that is allowed, and says what it was kept from", () => {
    mkdirSync(path.join(folder, "functions"), { recursive: true });
    writeFileSync(
      path.join(folder, "functions/HumanEval.jsonl"),
      `${JSON.stringify({
        task_id: "HumanEval/901",
        prompt: 'def half(n):\n    """ Half of n. """\n',
        entry_point: "half",
        canonical_solution: "    return n / 2\n",
        test: "def check(candidate):\n    assert candidate(4) == 2\n",
      })}\n`,
    );
    const flags = ["eval", "--model", "model", "--benchmark", "humaneval", "--data", "functions", "--out", "programs"];
    const refused = openfedllm(...flags);
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toContain("humaneval: grading runs programs that the model wrote");
    expect(refused.stderr.trim().split("\n")).toHaveLength(2);
    const { status, stdout } = openfedllm(...flags, "--max-new-tokens", "8", "--allow-code-execution");
    expect(status).toBe(0);
    expect(stdout).toMatch(/HumanEval +pass@1 +1 +0\.0%/);
    const report = readFileSync(path.join(folder, "programs/report.md"), "utf8");
    expect(report).toMatch(
      /HumanEval ran programs in Python 3\.\d+\S* Limits that held in a test: .*a program that does not end/,
    );
    // One answer says nothing of the best of ten.
    expect(report).not.toContain("pass@10");
    const sampled = [...flags.slice(0, -1), "sampled-programs", "--max-new-tokens", "8", "--temperature", "1"];
    expect(openfedllm(...sampled, "--samples", "10", "--allow-code-execution").stdout).toMatch(/pass@10 +1 +0\.0%/);
  });

  it("lists the benchmarks there are", () => {
    const { stdout, status } = openfedllm("eval", "--list");
    expect(status).toBe(0);
    expect(stdout).toContain("gsm8k");
  });
});
