/**
 * Loads every benchmark of the registry from real data and checks its grader: the reference answers score 1, and answers that
 * belong to other questions, or say nothing, score 0.
 *
 *   OPENFEDLLM_ASSETS=FOLDER npm run check:graders [-- NAME…]
 *
 * What FOLDER must hold is in the table below; experiments/README.md says where each is public. Exit code 1 where a check fails.
 */
import path from "node:path";
import { benchmarkData } from "../dist/evaluation/benchmark-data.js";
import { BENCHMARKS } from "../dist/evaluation/registry.js";
import { letter } from "../dist/evaluation/multiple-choice.js";
import { fileReader } from "../dist/node/files.js";

const assets = process.env.OPENFEDLLM_ASSETS;
if (assets === undefined) {
  console.error("usage: OPENFEDLLM_ASSETS=FOLDER npm run check:graders [-- NAME…]");
  process.exit(2);
}

/** A lettered question's right answer, and a wrong one. */
const lettered = {
  right: ({ right }) => `The answer is ${letter(right)}.`,
  wrong: ({ right, choices }) => letter((right + 1) % choices.length),
};
const bareLetter = { ...lettered, right: ({ right }) => letter(right) };
const sentiment = {
  right: ({ sentiment: label }) => label,
  wrong: ({ sentiment: label }) => (label === "positive" ? "negative" : "positive"),
};
const decision = {
  right: ({ decision: label }) => `The answer is ${label}.`,
  wrong: ({ decision: label }) => (label === "no" ? "yes" : "no"),
};

/**
 * A line for each benchmark and copy of its data: the folder, how many questions there are, and what to answer. `right` must
 * score 1 by the metrics named (default: the headline), `wrong` 0.
 */
const CHECKS = [
  {
    name: "bbh",
    folder: "bbh",
    questions: 6511,
    right: ({ target }) => `So the answer is ${target}.`,
    wrong: () => "So the answer is nothing of that.",
  },
  {
    name: "drop",
    folder: "drop",
    shots: 0,
    questions: 9536,
    right: ({ answers }) => answers[0].join(" "),
    wrong: () => "zebra",
  },
  {
    name: "gsm8k",
    folder: "gsm8k",
    questions: 1319,
    metrics: ["exactMatch", "flexible"],
    right: ({ result }) => `#### ${result}`,
    wrong: ({ result }) => `#### ${result}1`,
  },
  {
    name: "math",
    folder: "math500",
    questions: 500,
    right: ({ result }) => `So \\boxed{${result}}.`,
    wrong: () => "\\boxed{\\text{no such thing}}",
  },
  { name: "mmlu", folder: "mmlu", questions: 14_042, ...lettered },
  { name: "mmlu-medical", folder: "mmlu", questions: 1089, ...lettered },
  { name: "mmlu-medical", folder: "medagents-bench/mmlu", questions: 1089, shots: 0, ...lettered },
  { name: "medqa", folder: "medagents-bench/medqa", questions: 1273, ...lettered },
  { name: "medqa", folder: "medagents-bench/medqa_5options", questions: 1273, ...lettered },
  { name: "medmcqa", folder: "medagents-bench/medmcqa", questions: 2816, ...lettered },
  { name: "pubmedqa", folder: "pubmedqa", questions: 500, ...decision },
  { name: "pubmedqa", folder: "pubmedqa/ori_pqal.json", questions: 500, ...decision },
  { name: "pubmedqa", folder: "medagents-bench/pubmedqa", questions: 500, ...decision },
  // Not among the usual files: checked where it is there.
  {
    name: "crass",
    folder: "crass",
    optional: true,
    metrics: ["accuracy", "beginsRight"],
    questions: 274,
    ...bareLetter,
  },
  { name: "fpb", folder: "fpb", questions: 1212, metrics: ["accuracy", "strictAccuracy"], ...sentiment },
  {
    name: "fpb",
    folder: "fpb/Sentences_AllAgree.txt",
    questions: 566,
    metrics: ["accuracy", "strictAccuracy"],
    ...sentiment,
  },
  { name: "fiqa", folder: "fiqa", questions: 219, metrics: ["accuracy", "strictAccuracy"], ...sentiment },
];

const wanted = process.argv.slice(2);
const missing = Object.keys(BENCHMARKS).filter((name) => !CHECKS.some((check) => check.name === name));
let failed = false;
for (const check of CHECKS.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
  const problems = await problemsOf(check);
  failed ||= problems.some((problem) => !problem.startsWith("left out"));
  const verdict = problems.length === 0 ? "ok" : problems.join("; ");
  console.log(`${check.name.padEnd(14)} ${check.folder.padEnd(32)} ${verdict}`);
}
if (missing.length > 0) console.log(`no data to check with: ${missing.join(", ")}`);
process.exitCode = failed ? 1 : 0;

async function problemsOf({ name, folder, questions: expected, optional, shots, metrics, right, wrong }) {
  const benchmark = BENCHMARKS[name];
  const tools = { fidelity: "paper" };
  let questions;
  try {
    const data = benchmarkData(fileReader(), path.join(assets, folder));
    questions = await benchmark.load(data, { mode: benchmark.modes[0], shots, ...tools });
  } catch (error) {
    return [optional ? "left out: no data" : `${error.message}${error.hint === undefined ? "" : ` (${error.hint})`}`];
  }
  const problems = [];
  if (questions.length !== expected) problems.push(`${questions.length} questions, expected ${expected}`);
  const ids = new Set(questions.map(({ id }) => id));
  if (ids.size !== questions.length) problems.push(`${questions.length - ids.size} ids occur twice`);
  for (const metric of metrics ?? [benchmark.metrics[0].name]) {
    const mean = async (answerTo) => {
      let sum = 0;
      for (const question of questions) {
        const text = answerTo(question);
        const answer = { turns: [text], samples: [text], finish: ["stop"] };
        sum += (await benchmark.grade(question, answer, tools)).scores[metric];
      }
      return sum / questions.length;
    };
    const [best, worst, empty] = [await mean(right), await mean(wrong), await mean(() => "")];
    if (best !== 1) problems.push(`right answers have ${metric} ${best}`);
    if (worst !== 0) problems.push(`wrong answers have ${metric} ${worst}`);
    // FinGPT takes no answer for neutral.
    if (empty !== 0 && !(benchmark.category === "finance" && metric === "accuracy")) {
      problems.push(`empty answers have ${metric} ${empty}`);
    }
  }
  return problems;
}
