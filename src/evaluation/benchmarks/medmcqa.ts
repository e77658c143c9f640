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
import { place, type SourcedRow } from "../../data/row.ts";
import { UserError } from "../../diagnostics/user-error.ts";

const HUB = "hf:openlifescienceai/medmcqa?split=";

/** MedMCQA: questions of Indian medical entrance examinations. */
export const medmcqa: Benchmark<ChoiceQuestion> = {
  title: "MedMCQA",
  category: "medicine",
  about:
    "4,183 questions of Indian medical entrance examinations (the validation split, because the test's answers are not public); the right letter",
  sources: [
    "Pal et al. 2022, MedMCQA, PMLR 174",
    "github.com/EleutherAI/lm-evaluation-harness, tasks/medmcqa: validation split, prompt without worked examples, the likeliest of the letters",
  ],
  data: {
    hub: "openlifescienceai/medmcqa",
    local:
      "a table validation (or dev, or test where it has answers) with question, opa to opd and cop, or options and answer_idx; train for worked examples",
  },
  modes: ["likelihood", "generation"],
  shots: 0,
  generation: LETTER_ANSWER,
  metrics: [ACCURACY],
  async load(data, { shots = 0 }) {
    const held = await heldOut(data);
    const train = shots === 0 ? [] : await splitRows(data, { split: "train", hub: `${HUB}train` });
    const examples = itemsOf(firstExamples(data, train, shots), train).map(
      ({ text, right }) => `${text} ${letter(right)}`,
    );
    return itemsOf(held, held).map(({ text, subject, choices, right }, i) => ({
      id: `validation/${i}`,
      ...(subject === undefined ? {} : { group: subject }),
      context: { shots: examples },
      turns: [text],
      options: letters(choices.length),
      choices,
      right,
    }));
  },
  grade: gradeChoice,
};

async function heldOut(data: Parameters<typeof splitRows>[0]): Promise<readonly SourcedRow[]> {
  const names = await data.files();
  // The test split itself has no answers; a copy with `test` as its only held-out table has them.
  const split = names.some((name) => /(^|[/._-])(validation|valid|val|dev)[._-]/i.test(name)) ? "validation" : "test";
  const from = data.local === undefined ? "validation" : split;
  return splitRows(data, { split: from, hub: `${HUB}validation`, orOnlyFile: true });
}

interface Item {
  readonly text: string;
  readonly subject: string | undefined;
  readonly choices: readonly string[];
  readonly right: number;
}

/** Reads rows. @param all All rows of the file: they show if `cop` counts from 0, as on the Hub, or from 1, as in the authors' files. */
function itemsOf(rows: readonly SourcedRow[], all: readonly SourcedRow[]): Item[] {
  const first = all.some(({ fields }) => Number(fields["cop"]) === 4) ? 1 : 0;
  const zero =
    first === 1 ? all.find(({ fields }) => fields["cop"] !== undefined && Number(fields["cop"]) === 0) : undefined;
  if (zero !== undefined) {
    throw new UserError("data", `${place(zero.source)}: "cop" is 0 here and 4 elsewhere, expected 0 to 3, or 1 to 4`);
  }
  return rows.map((row) => {
    const choices = optionsOf(row);
    const subject = row.fields["subject_name"];
    return {
      text: choiceText(`Question: ${textColumn(row, "question").trim()}`, choices, "Choices:\n"),
      subject: typeof subject === "string" && subject !== "" ? subject : undefined,
      choices,
      right: Object.hasOwn(row.fields, "cop")
        ? byNumber(row, first)
        : rightOption(row, ["answer_idx", "cop"], choices.length),
    };
  });
}

function byNumber(row: SourcedRow, first: 0 | 1): number {
  const right = Number(textColumn(row, "cop")) - first;
  if (Number.isInteger(right) && right >= 0 && right < 4) return right;
  const options =
    right === -1 && first === 0 ? { hint: "The test split's answers are not public; use the validation split." } : {};
  throw new UserError(
    "data",
    `${place(row.source)}: "cop" is ${textColumn(row, "cop")}, expected ${first} to ${first + 3}`,
    options,
  );
}
