import { textColumn } from "../benchmark-data.ts";
import { ACCURACY, type Benchmark } from "../benchmark.ts";
import { optionsOf, rightOption } from "../grading/choice-row.ts";
import {
  choiceText,
  gradeChoice,
  letter,
  letters,
  LETTER_ANSWER,
  type ChoiceQuestion,
} from "../grading/multiple-choice.ts";
import { firstExamples, splitRows } from "../grading/split-rows.ts";
import type { SourcedRow } from "../../data/row.ts";

const HUB = "hf:GBaker/MedQA-USMLE-4-options?split=";

/** MedQA: questions of the United States' medical licensing examination. */
export const medqa: Benchmark<ChoiceQuestion> = {
  title: "MedQA",
  category: "medicine",
  about: "1,273 questions of the USMLE with four options, or five where the data has them; the right letter",
  sources: [
    "Jin et al. 2020, What Disease does this Patient Have?, arXiv 2009.13081",
    "github.com/EleutherAI/lm-evaluation-harness, tasks/medqa: prompt without worked examples, the likeliest of the letters",
  ],
  data: {
    hub: "GBaker/MedQA-USMLE-4-options",
    local: "a table test with question, options and answer_idx; train for worked examples",
  },
  modes: ["likelihood", "generation"],
  shots: 0,
  generation: LETTER_ANSWER,
  metrics: [ACCURACY],
  async load(data, { shots = 0 }) {
    const test = await splitRows(data, { split: "test", hub: `${HUB}test`, orOnlyFile: true });
    const train = shots === 0 ? [] : await splitRows(data, { split: "train", hub: `${HUB}train` });
    const examples = firstExamples(data, train, shots).map((row) => {
      const { text, right } = itemOf(row);
      return `${text} ${letter(right)}`;
    });
    return test.map((row, i) => {
      const { text, choices, right } = itemOf(row);
      return {
        id: `test/${i}`,
        context: { shots: examples },
        turns: [text],
        options: letters(choices.length),
        choices,
        right,
      };
    });
  },
  grade: gradeChoice,
};

function itemOf(row: SourcedRow): { text: string; choices: readonly string[]; right: number } {
  const question = textColumn(row, Object.hasOwn(row.fields, "sent1") ? "sent1" : "question");
  const choices = optionsOf(row);
  const right = rightOption(row, ["label", "answer_idx"], choices.length);
  return { text: choiceText(`Question: ${question.trim()}`, choices), choices, right };
}
