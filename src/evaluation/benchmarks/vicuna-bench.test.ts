import { expect, test } from "vitest";
import { folderOf } from "../../../test/support/benchmark-data.ts";
import { answered, DIALOGUES, JUDGE_PROMPTS, jsonLines } from "../../../test/support/dialogue-benchmark.ts";
import type { Message } from "../../data/messages.ts";
import type { JudgeSettings } from "../judge/judge.ts";
import { vicunaBench } from "./vicuna-bench.ts";

const OPTIONS = { mode: "generation", shots: undefined, fidelity: "paper" } as const;
const FILES = {
  ...DIALOGUES,
  "judge_prompts.jsonl": JUDGE_PROMPTS,
  "vicuna_question.jsonl": jsonLines([
    { question_id: 1, category: "generic", turns: ["How do I learn to whistle?"] },
    { question_id: 2, category: "math", turns: ["What is 3 times 14?"] },
  ]),
};

function judge(text: string) {
  const asked: { messages: readonly Message[]; settings: JudgeSettings }[] = [];
  return {
    name: "scripted",
    asked,
    ask: async (messages: readonly Message[], settings: JudgeSettings) => {
      asked.push({ messages, settings });
      return text;
    },
  };
}

test("every question is rated by the same prompt, at OpenFedLLM's temperature, without references", async () => {
  const questions = await vicunaBench.load(folderOf(FILES), OPTIONS);
  expect(questions.map(({ id, group }) => [id, group])).toEqual([
    ["1", "generic"],
    ["2", "math"],
  ]);
  const scripted = judge("Fine. [[8]]");
  const verdict = await vicunaBench.grade(questions[1]!, answered("42"), { judge: scripted, fidelity: "paper" });
  expect(verdict).toMatchObject({ scores: { score: 8 }, parsed: "8", unreadable: 0 });
  expect(scripted.asked[0]!.settings).toEqual({ temperature: 0.2, maxTokens: 2048 });
  expect(scripted.asked[0]!.messages[1]).toEqual({
    role: "user",
    content: "Rate, such as [[5]].\nQ: What is 3 times 14?\nA: 42",
  });
});

test("a verdict that cannot be read does not count, and is −1 as in the original", async () => {
  const [question] = await vicunaBench.load(folderOf(FILES), OPTIONS);
  const grade = (fidelity: "paper" | "original") =>
    vicunaBench.grade(question!, answered("Purse your lips."), { judge: judge("Quite good!"), fidelity });
  expect(await grade("paper")).toMatchObject({ scores: {}, parsed: null, unreadable: 1 });
  expect(await grade("original")).toMatchObject({ scores: { score: -1 }, parsed: null, unreadable: 1 });
});

test.each(["vicuna/question.jsonl", "vicuna_bench/question.jsonl", "vicuna_question.jsonl", "question.jsonl"])(
  "%s is found in a whole folder of data",
  async (name) => {
    const { "vicuna_question.jsonl": questions, "judge_prompts.jsonl": prompts } = FILES;
    const folder = { "judge_prompts.jsonl": prompts, [name]: questions };
    expect(await vicunaBench.load(folderOf(folder), OPTIONS)).toHaveLength(2);
    if (name === "question.jsonl") return;
    const whole = { ...folder, "mtbench/question.jsonl": DIALOGUES["question.jsonl"]! };
    expect(await vicunaBench.load(folderOf(whole), OPTIONS)).toHaveLength(2);
  },
);

test("MT-Bench's questions are not taken for it", async () => {
  await expect(vicunaBench.load(folderOf(DIALOGUES), OPTIONS)).rejects.toThrow("2 turns, expected one");
});
