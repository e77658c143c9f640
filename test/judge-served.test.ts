import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Judgement } from "../src/evaluation/judge/judgement.ts";
import { openJudge } from "../src/evaluation/judge/open-judge.ts";
import type { StoredResult } from "../src/evaluation/results.ts";
import { evaluateModels } from "../src/jobs/evaluate-models.ts";
import { openAnswerFolder } from "../src/node/store/evaluation-folder.ts";
import { openJudgements } from "../src/node/store/judgement-file.ts";
import { nodePlatform } from "../src/node/platform.ts";
import { CLI } from "./support/cli.ts";
import { DIALOGUES, jsonLines, writeFiles } from "./support/dialogue-benchmark.ts";
import { runIn } from "./support/experiment.ts";
import { writeTinyModel } from "./support/tiny-model.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "openfedllm-served-"));
process.env["OPENFEDLLM_CACHE"] = path.join(folder, "cache");
const KEY = "made-up-key-of-this-test";
let served: ChildProcess;
let baseUrl: string;

/** A federation of two tunes a judge that gives everything a 7, and `openfedllm serve` serves it. */
beforeAll(async () => {
  writeTinyModel(path.join(folder, "model"), { hiddenSize: 64 });
  writeFiles(path.join(folder, "dialogues"), DIALOGUES);
  for (const name of ["one", "two"]) {
    // Questions of many shapes, as the judge will see them.
    const questions = Array.from({ length: 64 }, (_, i) => {
      const why = "why so? ".repeat(i % 9);
      const what = "x3z".repeat(i % 11);
      return {
        messages: [
          { role: "system", content: `You judge by ${["single-v1", "single-math-v1", "rules"][i % 3]}.` },
          {
            role: "user",
            content: i % 2 === 0 ? `Rate ${name}.\nQ: ${why}\nA: ${what}` : `1: ${why} > ${what}\n2: ${name} > x`,
          },
          { role: "assistant", content: "[[7]]" },
        ],
      };
    });
    writeFileSync(path.join(folder, `${name}.jsonl`), jsonLines(questions));
  }
  await runIn(
    folder,
    {
      model: { base: "model" },
      adapter: { rank: 16, alpha: 32, targets: "all-linear" },
      data: { clients: ["one", "two"].map((name) => ({ name, train: `${name}.jsonl` })), maxLength: 256 },
      training: { batchSize: 8, localSteps: 16, learningRate: 0.005 },
      federation: { rounds: 10 },
    },
    { name: "strict" },
  );
  served = spawn(
    process.execPath,
    [CLI, "serve", "--model", "model", "--adapter", "strict=strict/adapter", "--port", "0", "--threads", "1"],
    {
      cwd: folder,
      env: { PATH: process.env["PATH"], OPENFEDLLM_CACHE: path.join(folder, "cache"), OPENFEDLLM_API_KEY: KEY },
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
  baseUrl = await new Promise<string>((resolve, reject) => {
    let said = "";
    served.stdout!.on("data", (chunk: Buffer) => {
      said += String(chunk);
      const url = /listening at (\S+)/.exec(said)?.[1];
      if (url !== undefined) resolve(url);
    });
    served.on("exit", () => reject(new Error(`the server ended: ${said}`)));
  });
}, 120_000);
afterAll(async () => {
  served.kill("SIGTERM");
  await new Promise((resolve) => served.on("exit", resolve));
  rmSync(folder, { recursive: true, force: true });
});

it("openfedllm serve is the judge of MT-Bench", async () => {
  const file = path.join(folder, "evaluation", "judgements.jsonl");
  const results: StoredResult[] = [];
  const grade = async () => {
    const store = await openJudgements(file);
    const judge = openJudge({ baseUrl, model: "strict", apiKey: KEY, maxTokens: 12, store });
    try {
      await evaluateModels(
        {
          base: path.join(folder, "model"),
          models: [{ name: "base" }],
          benchmarks: ["mt-bench"],
          data: { "mt-bench": path.join(folder, "dialogues") },
          openAnswers: (what, settings) =>
            openAnswerFolder({ out: path.join(folder, "evaluation"), ...what }, settings),
          maxNewTokens: 8,
          maxLength: 512,
          template: "chat",
          seed: 3,
          tools: { judge, fidelity: "paper" },
          concurrency: 3,
        },
        nodePlatform({ baseDir: folder, threads: 1 }),
        { onStage: () => {}, onProgress: () => {}, onResult: (result) => results.push(result) },
        new AbortController().signal,
      );
    } finally {
      await store.close();
    }
    return judge.usage();
  };

  const first = await grade();
  expect(first).toMatchObject({ asked: 6, fromRecord: 0 });
  const { metrics, unreadable } = results[0]!.result;
  expect(metrics["score"]).toMatchObject({ value: 7, n: 3 });
  expect(metrics["firstTurn"]).toMatchObject({ value: 7, n: 3 });
  expect(metrics["secondTurn"]).toMatchObject({ value: 7, n: 3 });
  expect(unreadable).toBe(0);
  const lines = readFileSync(file, "utf8").trim().split("\n");
  const judgements = lines.map((line) => JSON.parse(line) as Judgement);
  expect(judgements.filter(({ judge, text }) => judge === "strict" && text.includes("[[7]]"))).toHaveLength(6);
  expect(first.promptTokens).toBe(judgements.reduce((sum, { promptTokens }) => sum + promptTokens!, 0));

  expect(await grade()).toEqual({ asked: 0, fromRecord: 6, promptTokens: 0, completionTokens: 0 });
  expect(results[1]).toEqual(results[0]);
});

it("openfedllm serve refuses a judge's client without the key, and does not know a model of another name", async () => {
  const ask = (options: { model: string; apiKey?: string }) =>
    openJudge({ baseUrl, ...options }).ask([{ role: "user", content: "Rate." }], { temperature: 0, maxTokens: 4 });
  await expect(ask({ model: "strict" })).rejects.toThrow(/answered 401/);
  await expect(ask({ model: "lenient", apiKey: KEY })).rejects.toThrow(/answered 404/);
});
