import { place, type SourcedRow } from "../../data/row.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { contentsText, listColumn, textColumn, type BenchmarkData } from "../benchmark-data.ts";
import { GREEDY, type Benchmark, type Question } from "../benchmark.ts";
import { defines, fencedCode, gradePrograms, PASS_AT_K, unfencedCode } from "../grading/generated-program.ts";

interface ProblemQuestion extends Question {
  readonly setup: string;
  readonly tests: readonly string[];
}

interface Problem {
  readonly number: number;
  readonly text: string;
  readonly code: string;
  readonly setup: string;
  readonly tests: readonly string[];
}

const HUB = "hf:google-research-datasets/mbpp?config=full&split=";
/** Task numbers of the authors' split (their section 2.2), and of their three worked examples (section 3.1). */
const TEST = { first: 11, last: 510 };
const EXAMPLES = [2, 3, 4];

/** Mostly Basic Python Problems. */
export const mbpp: Benchmark<ProblemQuestion> = {
  title: "MBPP",
  category: "code",
  about: "500 basic Python problems in a sentence with their tests; 3 worked examples; pass@k",
  sources: [
    "Austin et al. 2021, Program Synthesis with Large Language Models, arXiv 2108.07732: prompt (section 3.1), tasks 11 to 510",
    "github.com/google-research/google-research/tree/master/mbpp: the data, its split",
  ],
  data: { hub: "google-research-datasets/mbpp", local: "mbpp.jsonl, all 974 tasks" },
  modes: ["generation"],
  shots: EXAMPLES.length,
  generation: { maxNewTokens: 256, stop: ["[DONE]"], ...GREEDY },
  needs: "code-execution",
  metrics: PASS_AT_K,
  async load(data, { shots = EXAMPLES.length }) {
    const { asked, examples } = await problemsOf(data);
    if (shots > examples.length) {
      throw new UserError("config", `mbpp has ${examples.length} worked examples here, expected ${shots}`, {
        hint: `Take --shots ${examples.length}.`,
      });
    }
    const worked = examples.slice(0, shots).map((each) => `${wording(each)}\n${each.code.trim()}\n[DONE]`);
    return asked.map((problem) => ({ ...mbppQuestion(problem), context: { shots: worked } }));
  },
  grade: ({ setup, tests }, { samples }, tools) =>
    gradePrograms(
      samples.map((text) => [solution(text), setup, ...tests].join("\n")),
      tools,
    ),
};

/** Reads a row of MBPP's table. @throws UserError("data") for another table's. */
export function mbppProblem(row: SourcedRow): Problem {
  const number = Number(textColumn(row, "task_id"));
  if (!Number.isInteger(number)) {
    throw new UserError("data", `${place(row.source)}: "task_id" is not a whole number`);
  }
  return {
    number,
    text: textColumn(row, "text"),
    code: textColumn(row, "code").replaceAll("\r\n", "\n"),
    setup: textColumn(row, "test_setup_code"),
    tests: listColumn(row, "test_list"),
  };
}

export function mbppQuestion(problem: Problem): ProblemQuestion {
  const { number, setup, tests } = problem;
  return { id: String(number), turns: [wording(problem)], setup, tests };
}

async function problemsOf(data: BenchmarkData): Promise<{ asked: Problem[]; examples: Problem[] }> {
  const all =
    data.local === undefined
      ? [...(await data.hub(`${HUB}prompt`)), ...(await data.hub(`${HUB}test`))]
      : await data.rows(await tableOf(data));
  const problems = all.map(mbppProblem);
  const asked = problems.filter(({ number }) => number >= TEST.first && number <= TEST.last);
  const examples = problems.filter(({ number }) => EXAMPLES.includes(number));
  return { asked, examples };
}

async function tableOf(data: BenchmarkData): Promise<string> {
  const files = await data.files();
  const name = files.length === 1 ? files[0] : files.find((file) => /(^|\/)mbpp\.(jsonl|parquet)(\.gz)?$/i.test(file));
  if (name !== undefined) return name;
  throw new UserError("data", `${data.local}: no mbpp.jsonl`, {
    hint: contentsText(files),
  });
}

function wording({ text, tests }: Problem): string {
  return [
    `You are an expert Python programmer, and here is your task: ${text.trim()} Your code should pass these tests:`,
    "",
    ...tests,
    "[BEGIN]",
  ].join("\n");
}

function solution(text: string): string {
  return fencedCode(text, (code) => defines(code)) ?? unfencedCode(text.replace(/^\s*\[BEGIN\]/, ""));
}
