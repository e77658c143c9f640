import { describe, expect, test } from "vitest";
import { folderOf } from "../../../test/support/benchmark-data.ts";
import { answered, DIALOGUES, jsonLines } from "../../../test/support/dialogue-benchmark.ts";
import type { Message } from "../../data/messages.ts";
import { estimatedTokens, estimateJudging, judgingCost } from "../judge/judge-estimate.ts";
import type { Judge } from "../judge/judge.ts";
import { summarise } from "../results.ts";
import { gradeAnswers, type AnswerRecord } from "../run-benchmark.ts";
import { mtBenchPairwise } from "./mt-bench-pairwise.ts";
import { mtBench } from "./mt-bench.ts";

const OPTIONS = { mode: "generation", shots: undefined, fidelity: "paper" } as const;

function judging(say: (prompt: string, messages: readonly Message[]) => string): Judge & { asked: string[] } {
  const asked: string[] = [];
  return {
    name: "scripted",
    asked,
    ask: async (messages) => {
      asked.push(messages.at(-1)!.content);
      return say(messages.at(-1)!.content, messages);
    },
  };
}

const records = (...answers: (readonly [string, string])[]): AnswerRecord[] =>
  answers.map((turns, i) => ({
    ...answered(...turns),
    question: String(i + 1),
    fingerprint: "",
    prompts: [],
    droppedShots: 0,
    tokens: 1,
    seconds: 1,
  }));

const ANSWERS = records(["Silver threads.", "Silver threads!"], ["42", "20"], ["It is lighter.", "Yes {answer_1}."]);

async function graded(benchmark: typeof mtBench, judge: Judge, baseline?: (id: string) => AnswerRecord | undefined) {
  const questions = await benchmark.load(folderOf(DIALOGUES), OPTIONS);
  const numbered = questions.map((question, number) => ({ question, number }));
  const verdicts = await gradeAnswers(
    benchmark,
    numbered,
    ANSWERS,
    { judge, baseline, fidelity: "paper" },
    { concurrency: 2 },
  );
  return { verdicts, result: summarise(benchmark, ANSWERS, verdicts, 1) };
}

describe("MT-Bench", () => {
  test("asks by category: temperatures, references, prompts of one turn and of two", async () => {
    const questions = await mtBench.load(folderOf(DIALOGUES), OPTIONS);
    expect(questions.map(({ id, group, generation }) => [id, group, generation?.temperature])).toEqual([
      ["1", "writing", 0.7],
      ["2", "math", 0],
      ["3", "stem", 0.1],
    ]);
    const judge = judging((_prompt, [system]) => (system!.content.includes("math") ? "[[2]]" : "[[9]]"));
    const { verdicts } = await graded(mtBench, judge);
    expect(judge.asked).toEqual([
      "Rate, such as [[5]].\nQ: Praise the rain in a line.\nA: Silver threads.",
      "1: Praise the rain in a line. > Silver threads.\n2: Now without the word rain. > Silver threads!",
      "Rate by the right answer.\nQ: What is 6 times 7?\nR: 42\nA: 42",
      "R: 42 / 21\n1: What is 6 times 7? > 42\n2: And half of that? > 20",
      "Rate, such as [[5]].\nQ: Why does ice float?\nA: It is lighter.",
      "1: Why does ice float? > It is lighter.\n2: Does it in oil? > Yes {answer_1}.",
    ]);
    expect(verdicts.map(({ parsed }) => parsed)).toEqual(["9, 9", "2, 2", "9, 9"]);
  });

  test("means are over the verdicts that can be read; the others are counted", async () => {
    const judge = judging((prompt) => {
      if (prompt.startsWith("Rate, such as [[5]].\nQ: Praise")) return "Lovely. [[8]]";
      if (prompt.includes("Silver threads!")) return "Still lovely, ten of ten.";
      if (prompt.startsWith("Rate by")) return "[[10]]";
      return prompt.startsWith("R: ") ? "[[1]]" : "Je ne sais pas.";
    });
    const { result, verdicts } = await graded(mtBench, judge);
    expect(result.metrics["score"]).toMatchObject({ value: 19 / 3, n: 2 });
    expect(result.metrics["firstTurn"]).toMatchObject({ value: 9, n: 2 });
    expect(result.metrics["secondTurn"]).toMatchObject({ value: 1, n: 1 });
    expect(result).toMatchObject({ unreadable: 3, notCounted: 1, unparsed: 0 });
    expect(result.groups["math"]!.metrics).toEqual({ score: 5.5, firstTurn: 10, secondTurn: 1 });
    expect(result.groups["stem"]!.metrics).toEqual({});
    expect(verdicts[2]!.note).toContain("Je ne sais pas.");
  });

  test.each([
    ["no prompts", { "judge_prompts.jsonl": undefined }, "data: no judge_prompts.jsonl"],
    [
      "another set of prompts",
      { "judge_prompts.jsonl": jsonLines([{ name: "mine", system_prompt: "", prompt_template: "{question}" }]) },
      'no prompt "single-v1"',
    ],
    ["no references", { "reference_answer/gpt-4.jsonl": undefined }, "data: no reference_answer/gpt-4.jsonl"],
    [
      "a reference too few",
      { "reference_answer/gpt-4.jsonl": jsonLines([{ question_id: 2, choices: [{ turns: ["42"] }] }]) },
      "no reference answers to both turns of question 2",
    ],
    [
      "a question of one turn",
      { "question.jsonl": jsonLines([{ question_id: 1, category: "stem", turns: ["Why?"] }]) },
      "expected two turns",
    ],
    [
      "renamed columns",
      { "question.jsonl": jsonLines([{ id: 1, category: "stem", turns: ["Why?", "How?"] }]) },
      'no column "question_id"',
    ],
  ])("a folder with %s is refused", async (_, changed, message) => {
    const files = Object.fromEntries(
      Object.entries({ ...DIALOGUES, ...changed }).filter((entry): entry is [string, string] => entry[1] !== undefined),
    );
    await expect(mtBench.load(folderOf(files), OPTIONS)).rejects.toThrow(message);
  });

  test("FastChat's whole data folder is understood", async () => {
    const { "judge_prompts.jsonl": prompts, "question.jsonl": questions, ...references } = DIALOGUES;
    const [reference] = Object.values(references);
    const loaded = await mtBench.load(
      folderOf({
        "judge_prompts.jsonl": prompts!,
        "mt_bench/question.jsonl": questions!,
        "mt_bench/reference_answer/gpt-4.jsonl": reference!,
        "mt_bench/model_answer/gpt-4.jsonl": "",
        "vicuna_bench/question.jsonl": "",
        "vicuna_bench/reference_answer/gpt-4.jsonl": "",
      }),
      OPTIONS,
    );
    expect(loaded).toHaveLength(3);
  });

  test("without a judge says what to do", async () => {
    const [question] = await mtBench.load(folderOf(DIALOGUES), OPTIONS);
    await expect(mtBench.grade(question!, ANSWERS[0]!, { fidelity: "paper" })).rejects.toThrow("graded by a judge");
  });
});

describe("MT-Bench, pairwise", () => {
  const BASELINE = records(["Wet again.", "Wet."], ["41", "20.5"], ["Magic.", "No."]);
  const baseline = (id: string) => BASELINE[Number(id) - 1];
  /** Who stands in the place of A and of B, by the first letters of the answers. */
  const places = (prompt: string): string => (/A1? ?:? (?:Silver|42|It)/.test(prompt) ? "own first" : "baseline first");

  test("asks in both orders; a judge that likes the first place gives ties", async () => {
    const judge = judging(() => "[[A]]");
    const { result } = await graded(mtBenchPairwise, judge, baseline);
    expect(judge.asked).toHaveLength(12);
    expect(judge.asked.map(places).sort()).toEqual([...Array(6).fill("baseline first"), ...Array(6).fill("own first")]);
    expect(judge.asked.slice(0, 2)).toEqual([
      "Compare.\nQ: Praise the rain in a line.\nA: Silver threads.\nB: Wet again.",
      "Compare.\nQ: Praise the rain in a line.\nA: Wet again.\nB: Silver threads.",
    ]);
    expect(result.metrics["winRate"]).toMatchObject({ value: 0.5 });
    expect(result.metrics["ties"]).toMatchObject({ value: 1 });
  });

  test("win rate with ties as half; a game with a verdict that cannot be read is left out", async () => {
    const judge = judging((prompt) => {
      const own = places(prompt) === "own first" ? "A" : "B";
      const other = own === "A" ? "B" : "A";
      if (prompt.includes("rain in a line")) return `[[${own}]]`;
      if (prompt.includes("6 times 7")) return prompt.includes("A1") ? `[[${other}]]` : "[[C]]";
      return own === "A" ? "[[A]]" : "Both have their charm.";
    });
    const { result, verdicts } = await graded(mtBenchPairwise, judge, baseline);
    expect(verdicts.map(({ parsed }) => parsed)).toEqual(["won, won", "tie, lost", null]);
    expect(result.metrics["winRate"]).toMatchObject({ value: 2.5 / 4, n: 2 });
    expect(result.metrics["wins"]).toMatchObject({ value: 0.5 });
    expect(result.metrics["ties"]).toMatchObject({ value: 0.25 });
    expect(result.metrics["firstTurn"]).toMatchObject({ value: 0.75 });
    expect(result.metrics["secondTurn"]).toMatchObject({ value: 0.5 });
    expect(result).toMatchObject({ unreadable: 2, notCounted: 1 });
  });

  test("without a baseline, or its answer, says so", async () => {
    const [question] = await mtBenchPairwise.load(folderOf(DIALOGUES), OPTIONS);
    const judge = judging(() => "[[A]]");
    const grade = (tools: object) =>
      mtBenchPairwise.grade(question!, ANSWERS[0]!, { judge, fidelity: "paper", ...tools });
    await expect(grade({})).rejects.toThrow("none were given");
    await expect(grade({ baseline: () => undefined })).rejects.toThrow("the baseline has no answer to question 1");
  });
});

describe("an estimate", () => {
  test("counts what will be asked, and what is on record already", async () => {
    const questions = (await mtBench.load(folderOf(DIALOGUES), OPTIONS)).map((question, number) => ({
      question,
      number,
    }));
    const estimate = await estimateJudging(mtBench, questions, ANSWERS);
    const judge = judging(() => "[[5]]");
    await graded(mtBench, judge);
    const content = judge.asked.reduce((sum, text) => sum + estimatedTokens(text), 0);
    expect(estimate).toMatchObject({ calls: 6, fromRecord: 0, completionTokens: 1200, mostCompletionTokens: 6 * 2048 });
    expect(estimate.promptTokens).toBeGreaterThan(content);
    expect(estimate.promptTokens).toBeLessThan(content + 6 * 20);
    expect(judgingCost(estimate, { prompt: 10, completion: 30 })).toBeCloseTo(
      (estimate.promptTokens * 10 + 1200 * 30) / 1e6,
    );
    const knows = async (messages: readonly Message[]) => messages.at(-1)!.content.startsWith("Rate");
    expect(await estimateJudging(mtBench, questions, ANSWERS, { judge: { knows } })).toMatchObject({
      calls: 3,
      fromRecord: 3,
    });
  });

  test("counts a token for four letters and for each character of other scripts", () => {
    expect(estimatedTokens("four four four!!")).toBe(4);
    expect(estimatedTokens("天气很好")).toBe(4);
    expect(estimatedTokens("")).toBe(0);
  });
});
