import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Answer } from "../../src/evaluation/benchmark.ts";

/** A benchmark's folder on disk. */
export function writeFiles(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), text);
  }
}

export function jsonLines(rows: readonly unknown[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
}

export function answered(...turns: string[]): Answer {
  return { turns, samples: [turns.at(-1)!], finish: ["stop"] };
}

const TWO_TURNS = "1: {question_1} > {answer_1}\n2: {question_2} > {answer_2}";
const TWO_PAIRS = "{question_1} {question_2}\nA1 {answer_a_1} A2 {answer_a_2}\nB1 {answer_b_1} B2 {answer_b_2}";

/** Prompts under the names of FastChat's judge_prompts.jsonl, in other words. */
export const JUDGE_PROMPTS: string = jsonLines(
  [
    ["single-v1", "Rate, such as [[5]].\nQ: {question}\nA: {answer}"],
    ["single-math-v1", "Rate by the right answer.\nQ: {question}\nR: {ref_answer_1}\nA: {answer}"],
    ["single-v1-multi-turn", TWO_TURNS],
    ["single-math-v1-multi-turn", `R: {ref_answer_1} / {ref_answer_2}\n${TWO_TURNS}`],
    ["pair-v2", "Compare.\nQ: {question}\nA: {answer_a}\nB: {answer_b}"],
    ["pair-math-v1", "Compare.\nQ: {question}\nR: {ref_answer_1}\nA: {answer_a}\nB: {answer_b}"],
    ["pair-v2-multi-turn", TWO_PAIRS],
    ["pair-math-v1-multi-turn", `R: {ref_answer_1} / {ref_answer_2}\n${TWO_PAIRS}`],
  ].map(([name, prompt_template]) => ({
    name,
    type: "made up",
    system_prompt: `You judge by ${name}.`,
    prompt_template,
  })),
);

export const DIALOGUES: Readonly<Record<string, string>> = {
  "judge_prompts.jsonl": JUDGE_PROMPTS,
  "question.jsonl": jsonLines([
    { question_id: 1, category: "writing", turns: ["Praise the rain in a line.", "Now without the word rain."] },
    { question_id: 2, category: "math", turns: ["What is 6 times 7?", "And half of that?"] },
    { question_id: 3, category: "stem", turns: ["Why does ice float?", "Does it in oil?"] },
  ]),
  "reference_answer/gpt-4.jsonl": jsonLines([
    { question_id: 2, model_id: "made up", choices: [{ index: 0, turns: ["42", "21"] }] },
  ]),
};
