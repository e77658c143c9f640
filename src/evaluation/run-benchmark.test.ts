import { expect, test } from "vitest";
import { said } from "../../test/support/benchmark-data.ts";
import { ACCURACY, GREEDY, type Benchmark } from "./benchmark.ts";
import { gradeAnswers } from "./run-benchmark.ts";

const benchmark = (grade: Benchmark["grade"]): Benchmark => ({
  title: "Letters",
  category: "knowledge",
  about: "",
  sources: [],
  data: { local: "" },
  modes: ["generation"],
  shots: 0,
  generation: { maxNewTokens: 1, stop: [], ...GREEDY },
  metrics: [ACCURACY],
  load: () => Promise.resolve([]),
  grade,
});

const questions = Array.from({ length: 6 }, (_, number) => ({
  question: { id: String(number), turns: [`Letter ${number}?`] },
  number,
}));

test("a failed grading waits for those under way and begins no other", async () => {
  const begun: string[] = [];
  const ended: string[] = [];
  const slow = benchmark(async ({ id }) => {
    begun.push(id);
    if (id === "1") throw new Error("the judge is gone");
    for (let tick = 0; tick < 20; tick++) await Promise.resolve();
    ended.push(id);
    return { scores: { accuracy: 1 } };
  });
  const answers = questions.map(() => said("A"));
  const work = gradeAnswers(slow, questions, answers, { fidelity: "paper" }, { concurrency: 3 });
  await expect(work).rejects.toThrow("the judge is gone");
  expect(begun).toEqual(["0", "1", "2"]);
  expect(ended).toEqual(["0", "2"]);
});
