import { place, type SourcedRow } from "../../data/row.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { oneFile, textColumn, type BenchmarkData } from "../benchmark-data.ts";
import { EXACT_MATCH, GREEDY, type Benchmark, type Question } from "../benchmark.ts";
import { lastBoxed, sameMath } from "../grading/math-answer.ts";

interface Problem {
  readonly problem: string;
  readonly solution: string;
  readonly subject: string | undefined;
}

interface MathQuestion extends Question {
  readonly result: string;
}

const HUB = "hf:DigitalLearningGmbH/MATH-lighteval?split=";
const ASK = "Put the final answer in \\boxed{}.";

/** Competition problems of the MATH data set. */
export const math: Benchmark<MathQuestion> = {
  title: "MATH",
  category: "mathematics",
  about: "5,000 competition problems, answers in LaTeX; 4 worked examples; the last \\boxed{} equals the answer",
  sources: [
    "Hendrycks et al. 2021, Measuring Mathematical Problem Solving With the MATH Dataset, arXiv 2103.03874",
    "github.com/hendrycks/math, math_equivalence.py (is_equiv) and dataset/util.py (last_boxed_only_string)",
  ],
  data: {
    hub: "DigitalLearningGmbH/MATH-lighteval",
    local:
      "test.jsonl (problem, solution, level, type) and train.jsonl for worked examples; or one file of problems such as math500.jsonl, asked without examples",
  },
  modes: ["generation"],
  shots: 4,
  generation: { maxNewTokens: 512, stop: ["\nProblem:"], ...GREEDY },
  metrics: [EXACT_MATCH],
  async load(data, { shots }) {
    const { test, train } = await problemsOf(data, shots);
    const examples = train.slice(0, shots ?? 4).map((shot) => `${asked(shot)} ${shot.solution.trim()}`);
    return test.map((problem, i) => ({
      id: `test/${i}`,
      ...(problem.subject === undefined ? {} : { group: problem.subject }),
      context: { preamble: ASK, shots: examples },
      turns: [asked(problem)],
      result: lastBoxed(problem.solution)!,
    }));
  },
  grade({ result }, { samples: [text = ""] }) {
    const parsed = lastBoxed(text) ?? null;
    return {
      scores: { exactMatch: parsed !== null && sameMath(parsed, result) ? 1 : 0 },
      parsed,
      expected: result,
    };
  },
};

function asked({ problem }: Problem): string {
  return `Problem: ${problem.trim()}\nSolution:`;
}

async function problemsOf(
  data: BenchmarkData,
  shots: number | undefined,
): Promise<{ test: readonly Problem[]; train: readonly Problem[] }> {
  if (data.local === undefined) {
    const train = shots === 0 ? [] : await data.hub(`${HUB}train`);
    return { test: (await data.hub(`${HUB}test`)).map(problemOf), train: train.map(problemOf) };
  }
  const files = await data.files();
  const trainFile = files.find((name) => /(^|\/)train\.(jsonl|json|parquet)$/.test(name));
  if (trainFile === undefined && shots !== undefined && shots > 0) {
    throw new UserError("data", `${data.local}: no train.jsonl, the file of the worked examples`, {
      hint: "Run without worked examples: --shots 0.",
    });
  }
  const only = files.length === 1 ? files[0]! : undefined;
  const testFile = only ?? (await oneFile(data, /(^|\/)test\.(jsonl|json|parquet)$/, "test.jsonl"));
  const train = trainFile === undefined || shots === 0 ? [] : await data.rows(trainFile);
  return { test: (await data.rows(testFile)).map(problemOf), train: train.map(problemOf) };
}

function problemOf(row: SourcedRow): Problem {
  const { fields } = row;
  // A prompt that was made for a model already: the problem stands between its markers.
  const marked = typeof fields["prompt"] === "string" && fields["problem"] === undefined;
  const problem = marked ? betweenMarkers(textColumn(row, "prompt")) : textColumn(row, "problem");
  const solution = textColumn(row, marked ? "reference_solution" : "solution");
  const subject = fields["type"] ?? fields["subject"];
  if (lastBoxed(solution) === undefined) {
    throw new UserError("data", `${place(row.source)}: the solution has no \\boxed{} answer`, {
      hint: "MATH's solutions put their result in \\boxed{}.",
    });
  }
  return { problem, solution, subject: typeof subject === "string" ? subject : undefined };
}

function betweenMarkers(prompt: string): string {
  return /<｜User｜>([^]*?)(?:<｜Assistant｜>|$)/.exec(prompt)?.[1] ?? prompt;
}
