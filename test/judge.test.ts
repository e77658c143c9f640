import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { GradingTools } from "../src/evaluation/benchmark.ts";
import { estimateJudging, type JudgingEstimate } from "../src/evaluation/judge/judge-estimate.ts";
import { openJudge, type JudgeUsage } from "../src/evaluation/judge/open-judge.ts";
import type { StoredResult } from "../src/evaluation/results.ts";
import type { AnswerRecord } from "../src/evaluation/run-benchmark.ts";
import { evaluateModels } from "../src/jobs/evaluate-models.ts";
import { openAnswerFolder } from "../src/node/store/evaluation-folder.ts";
import { openJudgements } from "../src/node/store/judgement-file.ts";
import { nodePlatform } from "../src/node/platform.ts";
import { CLI } from "./support/cli.ts";
import { DIALOGUES, jsonLines, writeFiles } from "./support/dialogue-benchmark.ts";
import { JudgeServer } from "./support/judge-server.ts";
import { writeTinyModel } from "./support/tiny-model.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "openfedllm-judge-"));
process.env["OPENFEDLLM_CACHE"] = path.join(folder, "cache");

beforeAll(() => {
  writeTinyModel(path.join(folder, "model"));
  writeFiles(path.join(folder, "dialogues"), DIALOGUES);
  writeFiles(path.join(folder, "requests"), {
    "advbench.csv": "goal,target\nHide the biscuits,Sure: behind the flour\nWake the cat,Sure: with a tin\n",
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let server: JudgeServer;
beforeEach(async () => {
  server = await JudgeServer.start(() => "[[5]]");
});
afterEach(() => server.stop());

interface Evaluated {
  readonly results: StoredResult[];
  readonly estimates: JudgingEstimate[];
  readonly usage: JudgeUsage;
}

/** Evaluates the tiny model as a user would, into a folder of its own, with the server as the judge. */
async function evaluate(
  out: string,
  benchmark: string,
  data: string,
  tools: Partial<GradingTools> = {},
): Promise<Evaluated> {
  const place = path.join(folder, out);
  const store = await openJudgements(path.join(place, "judgements.jsonl"));
  const judge = openJudge({ baseUrl: server.baseUrl, model: "strict", store, firstPauseSeconds: 0.001, attempts: 3 });
  const results: StoredResult[] = [];
  const estimates: JudgingEstimate[] = [];
  const granted = { judge, fidelity: "paper", ...tools } as const;
  try {
    await evaluateModels(
      {
        base: path.join(folder, "model"),
        models: [{ name: "base" }],
        benchmarks: [benchmark],
        data: { [benchmark]: path.join(folder, data) },
        openAnswers: (what, settings) => openAnswerFolder({ out: place, ...what }, settings),
        maxNewTokens: 8,
        maxLength: 512,
        template: "chat",
        seed: 7,
        tools: granted,
        concurrency: 4,
      },
      nodePlatform({ baseDir: folder, threads: 1 }),
      {
        onStage: () => {},
        onProgress: () => {},
        onResult: (result) => results.push(result),
        beforeGrading: async ({ task, answers }) => {
          estimates.push(await estimateJudging(task.benchmark, task.questions, answers, { ...granted, judge }));
        },
      },
      new AbortController().signal,
    );
  } finally {
    await store.close();
  }
  return { results, estimates, usage: judge.usage() };
}

function answersIn(out: string, benchmark: string): AnswerRecord[] {
  const file = path.join(folder, out, benchmark, "base", "answers.jsonl");
  return readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as AnswerRecord);
}

describe("a judge behind an endpoint", () => {
  it("grades MT-Bench: both turns of every answer, with the estimate told before", async () => {
    server.script = ({ body }) => (body.messages[0]!.content.includes("math") ? "Rating: [[3]]" : "Rating: [[6]]");
    const { results, estimates, usage } = await evaluate("whole", "mt-bench", "dialogues");
    expect(estimates).toMatchObject([{ calls: 6, fromRecord: 0 }]);
    expect(usage).toEqual({ asked: 6, fromRecord: 0, promptTokens: 120, completionTokens: 30 });
    expect(results[0]!.result.metrics["score"]).toMatchObject({ value: 5, n: 3 });
    expect(results[0]!.result.groups["math"]!.metrics).toEqual({ score: 3, firstTurn: 3, secondTurn: 3 });
    const [answer] = answersIn("whole", "mt-bench");
    expect(answer!.turns).toHaveLength(2);
    const questions = server.asked.map(({ body }) => body.messages[1]!.content);
    expect(questions).toContain(`Rate, such as [[5]].\nQ: Praise the rain in a line.\nA: ${answer!.turns[0]}`);
  });

  it("that refuses in the middle: nothing judged is lost, nothing is asked twice", async () => {
    server.script = (_asked, number) =>
      number < 4 ? "[[4]]" : { status: 401, body: { error: { message: "the key has run out" } } };
    await expect(evaluate("broken", "mt-bench", "dialogues")).rejects.toThrow("answered 401: the key has run out");
    const before = server.asked.length;
    server.script = () => "[[8]]";
    const { results, estimates, usage } = await evaluate("broken", "mt-bench", "dialogues");
    expect(estimates).toMatchObject([{ calls: 2, fromRecord: 4 }]);
    expect(usage).toMatchObject({ asked: 2, fromRecord: 4 });
    expect(server.asked.length - before).toBe(2);
    expect(results[0]!.result.metrics["score"]!.value).toBeCloseTo((4 * 4 + 2 * 8) / 6, 12);
    const kept = readFileSync(path.join(folder, "broken", "judgements.jsonl"), "utf8")
      .trim()
      .split("\n");
    expect(kept).toHaveLength(6);
  });

  it("compares with a baseline in both orders; the baseline's answers are those it gave to mt-bench", async () => {
    await evaluate("own", "mt-bench", "dialogues");
    const baselines = new Map(answersIn("own", "mt-bench").map((answer) => [answer.question, answer]));
    const changed = new Map(
      [...baselines].map(([id, answer]) => [
        id,
        { ...answer, turns: answer.turns.map((turn) => `${turn} (baseline)`) },
      ]),
    );
    server.asked.length = 0;
    server.script = ({ body }) => {
      const prompt = body.messages[1]!.content;
      return prompt.indexOf("(baseline)") > prompt.search(/\nB1?:? /) ? "[[A]]" : "[[B]]";
    };
    const { results } = await evaluate("compared", "mt-bench-pairwise", "dialogues", {
      baseline: (id) => changed.get(id),
    });
    expect(server.asked).toHaveLength(12);
    expect(results[0]!.result.metrics["winRate"]).toMatchObject({ value: 1, n: 3 });
    expect(results[0]!.result.metrics["ties"]).toMatchObject({ value: 0 });
  });

  it("in prose and in the wrong language counts as nothing, and is counted", async () => {
    server.script = (_asked, number) => (number % 2 === 0 ? "Not bad at all." : "可以，八分。");
    const { results } = await evaluate("prose", "mt-bench", "dialogues");
    expect(results[0]!.result).toMatchObject({ metrics: {}, unreadable: 6, notCounted: 3, unparsed: 0 });
  });

  it("says of AdvBench's answers whether they refuse; without a judge the phrases alone do", async () => {
    server.script = ({ body }) => (body.messages[1]!.content.includes("biscuits") ? "[[refused]]" : "[[complied]]");
    const { results } = await evaluate("requests-judged", "advbench", "requests");
    expect(results[0]!.result.metrics["judgedRefusal"]).toMatchObject({ value: 0.5, n: 2 });
    expect(results[0]!.result.metrics["harmless"]).toMatchObject({ n: 2 });
    const alone = await evaluate("requests-judged", "advbench", "requests", { judge: undefined });
    expect(alone.results[0]!.result.metrics).not.toHaveProperty("judgedRefusal");
  });

  it("without prompts for it, a folder is refused before the model is asked anything", async () => {
    writeFiles(path.join(folder, "bare"), { "question.jsonl": jsonLines([]) });
    await expect(evaluate("bare-out", "mt-bench", "bare")).rejects.toThrow("no judge_prompts.jsonl");
  });
});

describe("openfedllm eval with a judge", () => {
  const evaluated = async (...flags: string[]): Promise<{ status: number | null; stderr: string; stdout: string }> => {
    const args = [
      "eval",
      "--model",
      "model",
      "--benchmark",
      "mt-bench",
      "--data",
      "dialogues",
      "--max-new-tokens",
      "6",
    ];
    const child = spawn(process.execPath, [CLI, ...args, "--max-length", "512", ...flags], {
      cwd: folder,
      env: { ...process.env, NO_COLOR: "1", TEST_JUDGE_KEY: "sk-secret-of-the-test" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk) => (stdout += String(chunk)));
    child.stderr.on("data", (chunk) => (stderr += String(chunk)));
    const status = await new Promise<number | null>((resolve) => child.on("close", resolve));
    return { status, stdout, stderr };
  };

  it("tells the cost before, asks with the key, keeps it out of every file, and asks nothing twice", async () => {
    const judge = ["--judge-url", server.baseUrl, "--judge-model", "strict", "--judge-key-env", "TEST_JUDGE_KEY"];
    const first = await evaluated(...judge, "--judge-price", "1000,1000", "--out", "by-command");
    expect(first.stderr).toMatch(
      /strict will be asked 6 questions: about [\d,]+ tokens of questions and 1,200 of verdicts, about \d+\.\d\d at/,
    );
    expect(first.status).toBe(0);
    expect(first.stdout).toContain("MT-Bench");
    expect(server.asked.every(({ authorization }) => authorization === "Bearer sk-secret-of-the-test")).toBe(true);
    const files = readdirSync(path.join(folder, "by-command"), { recursive: true, withFileTypes: true });
    const kept = files.filter((file) => file.isFile()).map((file) => path.join(file.parentPath, file.name));
    expect(kept.some((file) => file.endsWith("judgements.jsonl"))).toBe(true);
    for (const file of kept) expect(readFileSync(file, "utf8")).not.toContain("sk-secret");
    const before = server.asked.length;
    expect((await evaluated(...judge, "--out", "by-command")).status).toBe(0);
    expect(server.asked.length).toBe(before);
  });

  it("does not judge where it may cost and nobody says yes; the answers are kept", async () => {
    const away = ["--judge-url", "https://judge.example/v1", "--judge-model", "strict"];
    const { status, stderr } = await evaluated(...away, "--out", "unjudged");
    expect(status).not.toBe(0);
    expect(stderr).toContain(
      "judging can cost money, and there is no terminal to ask for consent; the answers are kept",
    );
    expect(answersIn("unjudged", "mt-bench")).toHaveLength(3);
  });

  it.each([
    [[], "mt-bench: grading needs a judge"],
    [["--judge-url", "http://127.0.0.1:9/v1"], "--judge-url needs --judge-model"],
    [["--judge-model", "strict"], "grading needs a judge"],
  ])("%j: one clear sentence", async (flags, sentence) => {
    expect((await evaluated(...flags)).stderr).toContain(sentence);
  });
});
