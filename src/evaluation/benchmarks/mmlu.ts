import type { BenchmarkData } from "../benchmark-data.ts";
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
import { splitCells } from "../../data/csv.ts";
import { place, type SourcedRow } from "../../data/row.ts";
import { nearest } from "../../diagnostics/nearest.ts";
import { UserError } from "../../diagnostics/user-error.ts";

/** The authors' four categories (categories.py), by the names of their metrics, with the subjects of each. */
const CATEGORIES = {
  stem: "abstract_algebra astronomy college_biology college_chemistry college_computer_science college_mathematics college_physics computer_security conceptual_physics electrical_engineering elementary_mathematics high_school_biology high_school_chemistry high_school_computer_science high_school_mathematics high_school_physics high_school_statistics machine_learning",
  humanities:
    "formal_logic high_school_european_history high_school_us_history high_school_world_history international_law jurisprudence logical_fallacies moral_disputes moral_scenarios philosophy prehistory professional_law world_religions",
  socialSciences:
    "econometrics high_school_geography high_school_government_and_politics high_school_macroeconomics high_school_microeconomics high_school_psychology human_sexuality professional_psychology public_relations security_studies sociology us_foreign_policy",
  other:
    "anatomy business_ethics clinical_knowledge college_medicine global_facts human_aging management marketing medical_genetics miscellaneous nutrition professional_accounting professional_medicine virology",
} as const;

type SubjectCategory = keyof typeof CATEGORIES;

const CATEGORY_OF: ReadonlyMap<string, SubjectCategory> = new Map(
  Object.entries(CATEGORIES).flatMap(([category, subjects]) =>
    subjects.split(" ").map((subject) => [subject, category as SubjectCategory]),
  ),
);

export interface MmluQuestion extends ChoiceQuestion {
  readonly group: string;
}

export const MMLU_SOURCES: readonly string[] = [
  "Hendrycks et al. 2021, Measuring Massive Multitask Language Understanding, arXiv 2009.03300",
  "github.com/hendrycks/test, evaluate.py: preamble, five shots of the subject's dev split in their order, the likeliest of the letters",
];

/** Massive Multitask Language Understanding. */
export const mmlu: Benchmark<MmluQuestion> = {
  title: "MMLU",
  category: "knowledge",
  about: "14,042 questions with four options over 57 subjects; 5 worked examples of the subject; the right letter",
  sources: [...MMLU_SOURCES, "github.com/hendrycks/test, categories.py: the four categories"],
  data: {
    hub: "cais/mmlu (config all)",
    local:
      "test/SUBJECT_test.csv and dev/SUBJECT_dev.csv, without a header as the authors publish them or with one; or a table test with a column subject, and dev",
  },
  modes: ["likelihood", "generation"],
  shots: 5,
  generation: LETTER_ANSWER,
  metrics: [
    ACCURACY,
    { name: "stem", title: "STEM", unit: "share" },
    { name: "humanities", title: "humanities", unit: "share" },
    { name: "socialSciences", title: "social sciences", unit: "share" },
    { name: "other", title: "other", unit: "share" },
  ],
  load: (data, { shots = 5 }) => mmluQuestions(data, shots),
  grade(question, answer) {
    const verdict = gradeChoice(question, answer);
    return {
      ...verdict,
      scores: { ...verdict.scores, [CATEGORY_OF.get(question.group)!]: verdict.scores["accuracy"]! },
    };
  },
};

/** Loads the questions of MMLU, of some subjects or of all. */
export async function mmluQuestions(
  data: BenchmarkData,
  shots: number,
  subjects?: ReadonlySet<string>,
): Promise<readonly MmluQuestion[]> {
  const questions = await itemsOf(data, "test", subjects);
  const examples = shots === 0 ? [] : await itemsOf(data, "dev", subjects);
  const numbers = new Map<string, number>();
  return questions.map((item) => {
    const { subject } = item;
    const number = numbers.get(subject) ?? 0;
    numbers.set(subject, number + 1);
    const ofSubject = examples.filter((example) => example.subject === subject);
    const own = firstExamples(data, ofSubject, shots, ` for ${subject}`);
    return {
      id: `${subject}/${number}`,
      group: subject,
      context: {
        // Two spaces before the subject, as the authors' program writes them.
        preamble: `The following are multiple choice questions (with answers) about  ${subject.replaceAll("_", " ")}.`,
        shots: own.map((shot) => `${choiceText(shot.question, shot.options)} ${letter(shot.right)}`),
      },
      turns: [choiceText(item.question, item.options)],
      options: letters(item.options.length),
      choices: item.options,
      right: item.right,
    };
  });
}

interface Item {
  readonly subject: string;
  readonly question: string;
  readonly options: readonly string[];
  readonly right: number;
}

type Split = "test" | "dev";

async function itemsOf(data: BenchmarkData, split: Split, subjects?: ReadonlySet<string>): Promise<Item[]> {
  const wanted = (subject: string): boolean => subjects?.has(subject) ?? true;
  const shape = new RegExp(`(?:^|/)([^/]+)_${split}\\.csv$`);
  const files = (await data.files()).flatMap((name) => {
    const subject = shape.exec(name)?.[1];
    return subject === undefined ? [] : [{ name, subject: known(subject, name) }];
  });
  if (files.length === 0) {
    const rows = await splitRows(data, {
      split,
      hub: `hf:cais/mmlu?config=all&split=${split}`,
      orOnlyFile: split === "test",
    });
    return rows
      .map((row) => itemOf(row, known(textColumn(row, "subject"), place(row.source))))
      .filter((item) => wanted(item.subject));
  }
  const items: Item[] = [];
  for (const { name, subject } of files.filter((file) => wanted(file.subject))) {
    items.push(...tableRows(await data.text(name), name).map((row) => itemOf(row, subject)));
  }
  return items;
}

function known(subject: string, where: string): string {
  const name = subject.trim().toLowerCase().replaceAll(" ", "_");
  if (CATEGORY_OF.has(name)) return name;
  const near = nearest(name, [...CATEGORY_OF.keys()]);
  throw new UserError("data", `${where}: MMLU has no subject ${subject}`, {
    hint:
      near === undefined ? "MMLU's subjects have names such as anatomy or world_religions." : `Did you mean ${near}?`,
  });
}

function itemOf(row: SourcedRow, subject: string): Item {
  const question = textColumn(row, "question");
  const options = optionsOf(row);
  return { subject, question, options, right: rightOption(row, ["answer_idx", "answer"], options.length) };
}

const HEADERLESS = ["question", "A", "B", "C", "D", "answer"];

/** Reads the authors' tables, which have no header: a question, four options, and the right letter. */
function tableRows(text: string, file: string): SourcedRow[] {
  const lines = splitCells(text, file, ",");
  const [first] = lines;
  if (first === undefined) throw new UserError("data", `${file}: no records`);
  const isHeader = first.cells.includes("question");
  const header = isHeader ? first.cells : HEADERLESS;
  return lines.slice(isHeader ? 1 : 0).map(({ line, cells }, i) => {
    if (cells.length !== header.length) {
      throw new UserError("data", `${file} line ${line}: ${cells.length} cells, expected ${header.length}`, {
        hint: `One for each of ${header.join(", ")}.`,
      });
    }
    const fields = Object.fromEntries(header.map((name, column) => [name, cells[column]]));
    return { source: { file, line, record: i + 1 }, fields };
  });
}
