import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import type { CountedWork } from "../src/concurrency/counted-work.ts";
import { runIn } from "./support/experiment.ts";
import { writeTinyModel, writeTinyPairs } from "./support/tiny-model.ts";

const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-counted-"));
process.env["OPENFEDLLM_CACHE"] = path.join(folder, "cache");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Each piece of work with its amount, and the numbers that were told. */
function told(works: readonly CountedWork[]): Map<string, { of: number; done: number[] }[]> {
  const found = new Map<string, { of: number; done: number[] }[]>();
  for (const { what, unit, done, of } of works) {
    const key = `${what}, ${unit}`;
    const own = found.get(key) ?? [];
    found.set(key, own);
    const last = own.at(-1);
    if (last === undefined || done < last.done.at(-1)!) own.push({ of, done: [done] });
    else last.done.push(done);
  }
  return found;
}

test("references, evaluations and answers of a run are counted, each to its end", async () => {
  writeTinyModel(path.join(folder, "model"));
  writeTinyPairs(path.join(folder, "train.jsonl"), "apples", 70);
  writeTinyPairs(path.join(folder, "heldout.jsonl"), "spare apples", 10);
  const works: CountedWork[] = [];
  await runIn(
    folder,
    {
      model: { base: "model" },
      adapter: { rank: 2, alpha: 4 },
      data: { maxLength: 96, clients: [{ name: "apples", train: "train.jsonl", heldOut: "heldout.jsonl" }] },
      objective: { name: "dpo" },
      training: { batchSize: 4, localSteps: 1 },
      federation: { rounds: 2 },
      evaluation: { every: 1, prompts: ["How many?", "Where?"], maxNewTokens: 5 },
    },
    { onCount: (work) => works.push(work) },
  );
  const counts = told(works);
  expect([...counts.keys()].sort()).toEqual([
    "answering prompts, before and after, tokens",
    "evaluating on held-out records of apples, answers",
    "reference log-probabilities for apples, records",
  ]);
  const evaluations = counts.get("evaluating on held-out records of apples, answers")!;
  // Before training and after each of two rounds: ten pairs of two answers.
  expect(evaluations.map(({ of, done }) => [of, done.at(-1)])).toEqual([20, 20, 20].map((of) => [of, of]));
  const references = counts.get("reference log-probabilities for apples, records")!;
  expect(references.map(({ of, done }) => [of, done.at(-1)])).toEqual([
    [10, 10],
    [70, 70],
  ]);
  const [answers] = counts.get("answering prompts, before and after, tokens")!;
  expect(answers).toMatchObject({ of: 2 * 2 * 5 });
  expect(answers!.done.at(-1)).toBe(20);
});

test("a classification's options are counted, too", async () => {
  const line = (i: number, response: string): string => JSON.stringify({ instruction: `Is it ${i}?`, response });
  writeFileSync(path.join(folder, "labels.jsonl"), Array.from({ length: 6 }, (_, i) => line(i, "yes")).join("\n"));
  writeFileSync(path.join(folder, "check.jsonl"), Array.from({ length: 4 }, (_, i) => line(i + 9, "no")).join("\n"));
  const works: CountedWork[] = [];
  await runIn(
    folder,
    {
      model: { base: "model" },
      data: { maxLength: 96, clients: [{ name: "a", train: "labels.jsonl" }], heldOut: "check.jsonl" },
      training: { batchSize: 2, localSteps: 1 },
      federation: { rounds: 1 },
      evaluation: { labels: ["yes", "no"] },
    },
    { onCount: (work) => works.push(work) },
  );
  const [before, after] = told(works).get("evaluating on held-out records of common, answers")!;
  for (const each of [before, after]) expect([each!.of, each!.done.at(-1)]).toEqual([12, 12]);
});
