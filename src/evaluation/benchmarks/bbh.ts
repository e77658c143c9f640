import { parseJson } from "../../data/json.ts";
import { isRow, typeName, type SourcedRow } from "../../data/row.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { textColumn, type BenchmarkData } from "../benchmark-data.ts";
import { EXACT_MATCH, GREEDY, type Benchmark, type Question } from "../benchmark.ts";

interface HardQuestion extends Question {
  readonly target: string;
}

/** The tasks of BIG-Bench Hard, by the names of its files. */
const TASKS = [
  "boolean_expressions",
  "causal_judgement",
  "date_understanding",
  "disambiguation_qa",
  "dyck_languages",
  "formal_fallacies",
  "geometric_shapes",
  "hyperbaton",
  "logical_deduction_five_objects",
  "logical_deduction_seven_objects",
  "logical_deduction_three_objects",
  "movie_recommendation",
  "multistep_arithmetic_two",
  "navigate",
  "object_counting",
  "penguins_in_a_table",
  "reasoning_about_colored_objects",
  "ruin_names",
  "salient_translation_error_detection",
  "snarks",
  "sports_understanding",
  "temporal_sequences",
  "tracking_shuffled_objects_five_objects",
  "tracking_shuffled_objects_seven_objects",
  "tracking_shuffled_objects_three_objects",
  "web_of_lies",
  "word_sorting",
] as const;

const ASK = "A: Let's think step by step.";

/** BIG-Bench Hard. */
export const bbh: Benchmark<HardQuestion> = {
  title: "BBH",
  category: "reasoning",
  about: "27 tasks of BIG-Bench that are hard for models; 3 worked examples with reasoning; exact match",
  sources: [
    "Suzgun et al. 2022, Challenging BIG-Bench Tasks and Whether Chain-of-Thought Can Solve Them, arXiv 2210.09261",
    "github.com/suzgunmirac/BIG-Bench-Hard: questions (bbh/) and worked examples (cot-prompts/)",
    "github.com/FranxYao/chain-of-thought-hub, BBH/run_bbh: what follows the last 'answer is', an option's letter or the words without the full stop",
  ],
  data: {
    hub: "SaylorTwift/bbh (it has no worked examples: --shots 0)",
    local: "TASK.json and cot-prompts/TASK.txt, as in the authors' repository (also bbh/TASK.json)",
  },
  modes: ["generation"],
  shots: 3,
  generation: { maxNewTokens: 512, stop: ["\nQ:"], ...GREEDY },
  metrics: [EXACT_MATCH],
  async load(data, { shots = 3 }) {
    if (data.local === undefined && shots > 0) {
      throw new UserError("config", "the Hub's copy of bbh has no worked examples", {
        hint: "Add --shots 0, or use a clone of github.com/suzgunmirac/BIG-Bench-Hard: --data bbh=FOLDER.",
      });
    }
    const tasks = data.local === undefined ? TASKS : await tasksIn(data);
    const loaded: HardQuestion[] = [];
    for (const task of tasks) {
      const { preamble, examples } = shots === 0 ? { preamble: undefined, examples: [] } : await examplesOf(data, task);
      for (const [i, { input, target }] of (await rowsOf(data, task)).entries()) {
        loaded.push({
          id: `${task}/${i}`,
          group: task,
          context: { ...(preamble === undefined ? {} : { preamble }), shots: examples.slice(0, shots) },
          turns: [`Q: ${input}\n${ASK}`],
          target,
        });
      }
    }
    return loaded;
  },
  grade({ target }, { samples: [text = ""] }) {
    const parsed = bbhAnswer(text, target);
    return {
      scores: { exactMatch: parsed === target ? 1 : 0 },
      parsed: parsed === "" ? null : parsed,
      expected: target,
    };
  },
};

/**
 * Reads the result of an answer from the text after its last "answer is" (from all of it, without one): the first option that
 * it names, where the target is an option such as `(B)`; otherwise the words without a full stop at their end.
 */
export function bbhAnswer(text: string, target: string): string {
  const said = (text.includes("answer is ") ? text.split("answer is ").at(-1)! : text).trim();
  if (/^\([A-Z]\)$/.test(target)) return /\([A-Z]\)/.exec(said)?.[0] ?? said;
  return said.replace(/\.$/, "");
}

async function tasksIn(data: BenchmarkData): Promise<string[]> {
  const files = await data.files();
  const found = TASKS.filter((task) => files.some((file) => isTask(file, task)));
  if (found.length > 0) return found;
  throw new UserError("data", `${data.local}: none of BBH's tasks`, {
    hint: `Expected files such as ${TASKS[0]}.json; it holds ${files.slice(0, 5).join(", ") || "nothing"}.`,
  });
}

function isTask(file: string, task: string): boolean {
  return file === `${task}.json` || file.endsWith(`/${task}.json`);
}

async function rowsOf(data: BenchmarkData, task: string): Promise<{ input: string; target: string }[]> {
  if (data.local === undefined) return (await data.hub(`hf:SaylorTwift/bbh?config=${task}&split=test`)).map(inputOf);
  const file = (await data.files()).find((name) => isTask(name, task))!;
  const content = parseJson(await data.text(file), file);
  const list = isRow(content) ? content["examples"] : content;
  if (!Array.isArray(list)) {
    throw new UserError("data", `${file}: "examples" is ${typeName(list)}, expected a list of {input, target}`);
  }
  return list.map((item: unknown, i) => inputOf({ source: { file, record: i + 1 }, fields: isRow(item) ? item : {} }));
}

function inputOf(row: SourcedRow): { input: string; target: string } {
  return { input: textColumn(row, "input"), target: textColumn(row, "target") };
}

/** Reads a prompt file: a notice, a line of dashes, the task in a sentence, then the examples with an empty line between. */
async function examplesOf(data: BenchmarkData, task: string): Promise<{ preamble: string; examples: string[] }> {
  const file = (await data.files()).find((name) => name.endsWith(`cot-prompts/${task}.txt`));
  if (file === undefined) {
    throw new UserError("data", `${data.local}: no worked examples of this task: cot-prompts/${task}.txt is missing`, {
      hint: "Copy the folder from the authors' repository, or run without worked examples: --shots 0.",
    });
  }
  const text = (await data.text(file)).replaceAll("\r\n", "\n");
  const body = text.includes("\n-----\n") ? text.slice(text.indexOf("\n-----\n") + 7) : text;
  const [preamble = "", ...examples] = body.trim().split(/\n\n(?=Q: )/);
  return { preamble: preamble.trim(), examples: examples.map((example) => example.trim()) };
}
