import { place, type SourcedRow } from "../../data/row.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { contentsText, textColumn, type BenchmarkData } from "../benchmark-data.ts";
import { GREEDY, type Benchmark, type Question } from "../benchmark.ts";
import {
  beforeProse,
  defines,
  fencedCode,
  gradePrograms,
  PASS_AT_K,
  unfencedCode,
} from "../grading/generated-program.ts";

interface FunctionQuestion extends Question {
  /** Signature and docstring. */
  readonly prompt: string;
  /** Defines `check(candidate)`. */
  readonly test: string;
  readonly entryPoint: string;
}

/** The authors' ends of a completion: the text after them is not part of the function. */
const ENDS = ["\nclass", "\ndef", "\n#", "\nif", "\nprint"];

/** HumanEval: functions to write from their docstrings. */
export const humaneval: Benchmark<FunctionQuestion> = {
  title: "HumanEval",
  category: "code",
  about: "164 Python functions from signature and docstring; the authors' tests; pass@k",
  sources: [
    "Chen et al. 2021, Evaluating Large Language Models Trained on Code, arXiv 2107.03374",
    "github.com/openai/human-eval, execution.py: prompt, completion, tests and check(entry_point) as one program",
    "github.com/evalplus/evalplus, sanitize.py: of a chat model's answer, the code without the prose around it",
  ],
  data: { hub: "openai/openai_humaneval", local: "HumanEval.jsonl(.gz)" },
  modes: ["generation"],
  shots: 0,
  generation: { maxNewTokens: 512, stop: ["\nif __name__", "\nassert "], ...GREEDY },
  needs: "code-execution",
  metrics: PASS_AT_K,
  load: async (data) => (await rowsOf(data)).map(questionOf),
  grade: (question, { samples }, tools) =>
    gradePrograms(
      samples.map((text) => program(question, text)),
      tools,
    ),
};

async function rowsOf(data: BenchmarkData): Promise<readonly SourcedRow[]> {
  if (data.local === undefined) return data.hub("hf:openai/openai_humaneval?split=test");
  const files = await data.files();
  const name = files.find((file) => /humaneval[^/]*\.(jsonl|parquet)(\.gz)?$/i.test(file));
  const only = files.length === 1 ? files[0] : undefined;
  if (name === undefined && only === undefined) {
    throw new UserError("data", `${data.local}: no HumanEval.jsonl`, {
      hint: contentsText(files),
    });
  }
  return data.rows(name ?? only!);
}

function questionOf(row: SourcedRow): FunctionQuestion {
  const entryPoint = textColumn(row, "entry_point");
  if (!/^[A-Za-z_]\w*$/.test(entryPoint)) {
    throw new UserError("data", `${place(row.source)}: "entry_point" is "${entryPoint}", expected a function's name`);
  }
  const prompt = textColumn(row, "prompt");
  return { id: textColumn(row, "task_id"), turns: [prompt], prompt, test: textColumn(row, "test"), entryPoint };
}

function program({ prompt, test, entryPoint }: FunctionQuestion, text: string): string {
  return `${solution(prompt, entryPoint, text)}\n${test}\ncheck(${entryPoint})\n`;
}

/**
 * Makes a program of an answer, which continues the function or writes the whole of it. Before a whole function stands the
 * prompt's text before it: imports, and functions that the tests use too (`poly` in task 32).
 */
function solution(prompt: string, entryPoint: string, text: string): string {
  if (isIndented(text)) return prompt + completion(text);
  const isWhole = (code: string): boolean => defines(code, entryPoint);
  const block = fencedCode(text, isWhole);
  const code = block ?? (isWhole(text) ? unfencedCode(text) : text);
  if (!isWhole(code)) return prompt + completion(code);
  const start = prompt.search(new RegExp(`^(?:async[ \\t]+)?def[ \\t]+${entryPoint}\\b`, "m"));
  return prompt.slice(0, Math.max(0, start)) + code;
}

function isIndented(text: string): boolean {
  return /^(?:[ \t]*\r?\n)*(?: {2}|\t)/.test(text);
}

/** Reads the rest of the function. With a chat template, tokenizers such as LLaMA-2's remove one of the four spaces at its beginning. */
function completion(text: string): string {
  const ends = ENDS.map((end) => text.indexOf(end)).filter((at) => at !== -1);
  return beforeProse(text.slice(0, Math.min(text.length, ...ends))).replace(/^ {3}(?=\S)/, "    ");
}
