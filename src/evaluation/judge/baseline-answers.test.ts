import { expect, test } from "vitest";
import { jsonLines } from "../../../test/support/dialogue-benchmark.ts";
import { baselineAnswers } from "./baseline-answers.ts";

const read = (rows: readonly unknown[]) =>
  baselineAnswers({ read: async () => new TextEncoder().encode(jsonLines(rows)) }, "baseline.jsonl");

test("answers of an evaluation folder and of FastChat", async () => {
  const expected = { turns: ["One.", "Two."], samples: ["Two."], finish: ["stop"] };
  const ours = await read([{ question: "81", turns: ["One.", "Two."], samples: ["Two."], finish: ["length"] }]);
  expect(ours("81")).toEqual(expected);
  expect(ours("82")).toBeUndefined();
  const theirs = await read([{ question_id: 81, choices: [{ index: 0, turns: ["One.", "Two."] }] }]);
  expect(theirs("81")).toEqual(expected);
});

test.each([
  [[], "baseline.jsonl: no answers"],
  [[{ prompt: "?", output: "!" }], "baseline.jsonl line 1: no answer"],
  [[{ question_id: 1, choices: [] }], "expected choices[0].turns"],
])("%j is refused", async (rows, message) => {
  await expect(read(rows)).rejects.toThrow(message);
});
