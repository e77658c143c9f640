import { oneFile, textColumn, type BenchmarkData } from "../benchmark-data.ts";
import { ACCURACY, GREEDY, type Benchmark } from "../benchmark.ts";
import { choiceText, gradeChoice, letter, letters, type ChoiceQuestion } from "../grading/multiple-choice.ts";
import { PythonRandom } from "../../tensor/python-random.ts";
import { splitRows } from "../grading/split-rows.ts";
import { place, type SourcedRow } from "../../data/row.ts";
import { UserError } from "../../diagnostics/user-error.ts";

/** The paper's three examples, which instruct-eval uses. */
const EXAMPLES: readonly { readonly question: string; readonly options: readonly string[]; readonly right: number }[] =
  [
    {
      question:
        "A feather falls from a skyscraper. What would have happened if a computer had fallen from the skyscraper?",
      options: [
        "The computer would have remained intact.",
        "That is not possible.",
        "The computer would have been crushed.",
      ],
      right: 2,
    },
    {
      question: "A lightning hits a tree. What would have happened if a marble would have hit the tree?",
      options: [
        "It would have burned down.",
        "Nothing special would have happened.",
        "The tree would have kissed the lightning.",
      ],
      right: 1,
    },
    {
      question: "A man drinks a beer. What would have happened if the man had drunk a rainbow?",
      options: ["It would have been tasty.", "It would have been awful.", "That is not possible."],
      right: 2,
    },
  ];

const REQUIRED = ["Premise", "QCC", "CorrectAnswer", "Answer1", "Answer2"];

/** CRASS, counterfactual reasoning: what would have happened if … */
export const crass: Benchmark<ChoiceQuestion> = {
  title: "CRASS",
  category: "reasoning",
  about: "274 counterfactual questions with three or four options; 3 worked examples; the right letter",
  sources: [
    "Frohberg and Binder 2022, CRASS, LREC 2022 (arXiv 2112.11941)",
    "github.com/declare-lab/instruct-eval, crass.py: prompt, the paper's three examples, options shuffled by random.seed(0), an answer that begins with the right letter",
  ],
  data: {
    local:
      "CRASS_FTM_main_data_set.csv of github.com/apergo-ai/CRASS-data-set (cells divided by ;), or a table with its columns Premise, QCC, CorrectAnswer, Answer1, Answer2, PossibleAnswer3",
  },
  modes: ["generation", "likelihood"],
  shots: 3,
  generation: { maxNewTokens: 8, stop: [], ...GREEDY },
  metrics: [ACCURACY, { name: "beginsRight", title: "begins with the right letter", unit: "share" }],
  async load(data, { shots = 3 }) {
    if (shots > EXAMPLES.length) {
      throw new UserError("config", `CRASS has ${EXAMPLES.length} worked examples, but ${shots} are wanted`);
    }
    const examples = EXAMPLES.slice(0, shots).map(
      ({ question, options, right }) => `${choiceText(question, options)} ${letter(right)}`,
    );
    const random = new PythonRandom(0);
    return (await rowsOf(data)).map((row, i) => {
      const [premise, question, answer, ...others] = REQUIRED.map((column) => textColumn(row, column).trim());
      const fourth = row.fields["PossibleAnswer3"];
      const choices = [answer!, ...others, typeof fourth === "string" ? fourth.trim() : ""].filter(
        (option) => option !== "",
      );
      random.shuffle(choices);
      const right = choices.indexOf(answer!);
      if (right === -1 || choices.length < 2) {
        throw new UserError("data", `${place(row.source)}: no answers, expected the right one and two others`);
      }
      return {
        id: `test/${i}`,
        context: { shots: examples },
        turns: [choiceText(`${premise!} ${question!}`, choices)],
        options: letters(choices.length),
        choices,
        right,
      };
    });
  },
  grade(question, answer) {
    const verdict = gradeChoice(question, answer);
    const begins =
      answer.likelihoods === undefined
        ? (answer.samples[0] ?? "").trim().startsWith(verdict.expected!)
        : verdict.parsed === verdict.expected;
    return { ...verdict, scores: { ...verdict.scores, beginsRight: begins ? 1 : 0 } };
  },
};

async function rowsOf(data: BenchmarkData): Promise<readonly SourcedRow[]> {
  if (data.local === undefined) {
    throw new UserError("data", "CRASS is not on the Hub", {
      hint: "Download CRASS_FTM_main_data_set.csv from github.com/apergo-ai/CRASS-data-set, and give it with --data.",
    });
  }
  const names = await data.files();
  if (!names.some((name) => name.endsWith(".csv")))
    return splitRows(data, { split: "test", hub: "", orOnlyFile: true });
  const only =
    names.length === 1
      ? names[0]!
      : await oneFile(data, /(^|\/)CRASS_FTM_main_data_set\.csv$/i, "CRASS_FTM_main_data_set.csv");
  const text = await data.text(only);
  return text.slice(0, text.indexOf("\n")).includes(";") ? dividedRows(text, only) : data.rows(only);
}

/** Reads the authors' table: no cell holds a line break or a semicolon, and quotes have no meaning. */
function dividedRows(text: string, file: string): SourcedRow[] {
  const [header = "", ...lines] = text.split(/\r?\n/);
  const columns = header.split(";").map((name) => name.trim());
  return lines.flatMap((line, i) => {
    if (line.trim() === "") return [];
    const cells = line.split(";");
    if (cells.length > columns.length) {
      throw new UserError("data", `${file} line ${i + 2}: ${cells.length} cells, expected ${columns.length}`);
    }
    const fields = Object.fromEntries(columns.map((name, column) => [name, cells[column] ?? ""]));
    return [{ source: { file, line: i + 2, record: i + 1 }, fields }];
  });
}
