/**
 * Loads every benchmark of the registry from real data and checks its grader: the reference answers score 1, and answers that
 * belong to other questions, or say nothing, score 0. Where a judge grades, one that knows which is which takes its place; AlpacaEval's
 * published annotations must give the published win rates.
 *
 *   OPENFEDLLM_ASSETS=FOLDER npm run check:graders [-- NAME…]
 *
 * What FOLDER must hold is in the table below; experiments/README.md says where each is public. Exit code 1 where a check fails.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import { benchmarkData } from "../dist/evaluation/benchmark-data.js";
import { compared } from "../dist/evaluation/benchmarks/alpaca-eval.js";
import { mbppProblem, mbppQuestion } from "../dist/evaluation/benchmarks/mbpp.js";
import { BENCHMARKS } from "../dist/evaluation/benchmark-registry.js";
import { letter } from "../dist/evaluation/grading/multiple-choice.js";
import { openCodeRunner } from "../dist/node/code/python-runner.js";
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

/** Judged: the judge rates a good answer 1 and others 0, and prefers the good one of two. */
const GOOD = "This is the good answer of the check.";
const BAD = "This is the bad answer of the check.";
const judged = (say) => ({
  right: () => GOOD,
  wrong: () => BAD,
  judge: { name: "check", ask: async (messages) => say(messages.at(-1).content) },
});
const rated = judged((prompt) => (prompt.includes(GOOD) ? "[[1]]" : "[[0]]"));
/** `first` and `second`: how the judge says which place the better answer has; `mark` begins the second place. */
const preferring = (mark, first, second) =>
  judged((prompt) => {
    const isFirst = (text) => prompt.indexOf(text) < prompt.indexOf(mark);
    return (prompt.includes(GOOD) ? isFirst(GOOD) : !isFirst(BAD)) ? first : second;
  });

/**
 * A line for each benchmark and copy of its data: the folder, how many questions there are, and what to answer. `right` must
 * score 1 by the metrics named (default: the headline), `wrong` 0. `sameAs`: a folder that must give the same questions.
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
  { name: "pubmedqa", folder: "pubmedqa/ori_pqal.json", sameAs: "pubmedqa", questions: 500, ...decision },
  { name: "pubmedqa", folder: "medagents-bench/pubmedqa", sameAs: "pubmedqa", questions: 500, ...decision },
  // Not among the usual files: checked where it is there.
  {
    name: "crass",
    folder: "crass",
    optional: true,
    metrics: ["accuracy", "beginsRight"],
    questions: 274,
    ...bareLetter,
  },
  {
    name: "conala",
    folder: "conala",
    questions: 500,
    metrics: ["bleu", "exactMatch"],
    right: ({ snippet }) => `\`\`\`python\n${snippet}\n\`\`\``,
    wrong: () => "no_such_snippet()",
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
  { name: "mt-bench", folder: "mtbench", questions: 80, metrics: ["firstTurn", "secondTurn"], ...rated },
  {
    name: "mt-bench-pairwise",
    folder: "mtbench",
    questions: 80,
    metrics: ["firstTurn", "secondTurn"],
    ...preferring("The Start of Assistant B", "[[A]]", "[[B]]"),
  },
  { name: "vicuna", folder: "mtbench", questions: 80, ...rated },
  { name: "vicuna", folder: "openfedllm-eval", questions: 80, ...rated },
  { name: "alpaca-eval", folder: "alpacaeval", questions: 805, ...preferring("[Output 2]", "[[1]]", "[[2]]") },
  {
    name: "advbench",
    folder: "openfedllm-eval",
    questions: 520,
    metrics: ["harmless", "refusedAnywhere"],
    right: () => "I'm sorry, that is nothing to help with.",
    wrong: () => "Sure, with pleasure.",
  },
];

/**
 * Programs are run: the reference solutions must pass their tests in each of the forms that models answer in, the same with
 * nothing in them must not.
 */
const PROGRAMS = [
  {
    name: "humaneval",
    folder: "human-eval",
    file: "HumanEval.jsonl.gz",
    programs: 164,
    question: (_row, i, questions) => questions[i],
    right: {
      continued: ({ fields }) => fields.canonical_solution,
      // Of the prompt's functions only the one that was asked for.
      fenced: ({ fields }) => `Here:\n\`\`\`python\n${functionOf(fields)}\n\`\`\`\nThat is all.`,
      "in prose": ({ fields }) => `Here it is:\n${functionOf(fields)}\n\nThat is all.`,
    },
    wrong: () => "    return None\n",
  },
  {
    name: "mbpp",
    folder: "mbpp",
    file: "mbpp.jsonl",
    // All tasks, not only those that are asked.
    programs: 974,
    question: (row) => mbppQuestion(mbppProblem(row)),
    right: {
      "as the examples": ({ fields }) => lines(fields.code),
      fenced: ({ fields }) => `\`\`\`python\n${lines(fields.code)}\n\`\`\``,
      "in prose": ({ fields }) => `Here it is:\n${lines(fields.code)}\n\nThat is all.`,
    },
    wrong: ({ fields }) =>
      fields.code.replaceAll(/def (\w+)\s*\([^)]*\)\s*:/g, "def $1(*_):\n    return 'nothing'\ndef other_$1(*_):"),
  },
];

function lines(code) {
  return code.replaceAll("\r\n", "\n");
}

function functionOf({ prompt, entry_point, canonical_solution }) {
  return prompt.slice(prompt.search(new RegExp(`^def ${entry_point}\\b`, "m"))) + canonical_solution;
}

/** AlpacaEval's leaderboard, data_AlpacaEval/alpaca_eval_gpt4_leaderboard.csv: win rates in per cent. */
const PUBLISHED = [
  { file: "alpacaeval/alpaca-7b-vs-davinci003-alpaca_eval_gpt4-annotations.json", winRate: 26.45962733 },
  { file: "alpacaeval/vicuna-13b-vs-davinci003-annotations.json", winRate: 70.43478261 },
];

const wanted = process.argv.slice(2);
const missing = Object.keys(BENCHMARKS).filter(
  (name) => ![...CHECKS, ...PROGRAMS].some((check) => check.name === name),
);
let failed = false;
for (const check of CHECKS.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
  const problems = await problemsOf(check);
  failed ||= problems.some((problem) => !problem.startsWith("left out"));
  const verdict = problems.length === 0 ? "ok" : problems.join("; ");
  console.log(`${check.name.padEnd(18)} ${check.folder.padEnd(32)} ${verdict}`);
}
if (wanted.length === 0 || wanted.includes("alpaca-eval")) {
  for (const { file, winRate } of PUBLISHED) {
    const ours = winRateOf(file) * 100;
    const same = Math.abs(ours - winRate) < 1e-6;
    failed ||= !same;
    console.log(
      `${"alpaca-eval".padEnd(18)} ${file.split("/")[1].slice(0, 31).padEnd(32)} ${same ? "ok" : `${ours}, published ${winRate}`}`,
    );
  }
}
for (const check of PROGRAMS.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
  const { right, wrong, total } = await passed(check);
  const ok = total === check.programs && Object.values(right).every((count) => count === total) && wrong === 0;
  failed ||= !ok;
  const forms = Object.entries(right).map(([form, count]) => `${count} ${form}`);
  const counts = `of ${total} reference solutions pass ${forms.join(", ")}; of broken ones ${wrong}`;
  console.log(`${check.name.padEnd(18)} ${check.folder.padEnd(32)} ${ok ? "ok: " : ""}${counts}`);
}
if (missing.length > 0) console.log(`no data to check with: ${missing.join(", ")}`);
process.exitCode = failed ? 1 : 0;

/** How many reference solutions, and how many broken ones, pass. */
async function passed({ name, folder, file, question, right, wrong }) {
  const data = benchmarkData(fileReader(), path.join(assets, folder));
  const questions = await BENCHMARKS[name].load(data, { mode: "generation", shots: undefined, fidelity: "paper" });
  const rows = await data.rows(file);
  const codeRunner = await openCodeRunner();
  const count = async (answerTo) => {
    let sum = 0;
    let next = 0;
    const work = async () => {
      while (next < rows.length) {
        const i = next++;
        const text = answerTo(rows[i]);
        const answer = { turns: [text], samples: [text], finish: ["stop"] };
        const { scores } = await BENCHMARKS[name].grade(question(rows[i], i, questions), answer, { codeRunner });
        sum += scores["pass@1"];
      }
    };
    await Promise.all([work(), work()]);
    return sum;
  };
  const counts = {};
  for (const [form, answerTo] of Object.entries(right)) counts[form] = await count(answerTo);
  return { total: rows.length, right: counts, wrong: await count(wrong) };
}

/** The share of AlpacaEval's published annotations that the model wins. */
function winRateOf(file) {
  const annotations = JSON.parse(readFileSync(path.join(assets, file), "utf8"));
  const verdicts = annotations.map(({ preference, output_1: reference, output_2: own }) =>
    compared(preference, own, reference),
  );
  return verdicts.reduce((sum, { scores }) => sum + scores.winRate, 0) / verdicts.length;
}

async function problemsOf({
  name,
  folder,
  sameAs,
  questions: expected,
  optional,
  shots,
  metrics,
  right,
  wrong,
  judge,
}) {
  const benchmark = BENCHMARKS[name];
  const baseline = () => ({ turns: ["One answer.", "Another."], samples: ["Another."], finish: ["stop"] });
  const tools = { fidelity: "paper", judge, baseline };
  const load = (from) =>
    benchmark.load(benchmarkData(fileReader(), path.join(assets, from)), { mode: benchmark.modes[0], shots, ...tools });
  let questions;
  try {
    questions = await load(folder);
  } catch (error) {
    return [optional ? "left out: no data" : `${error.message}${error.hint === undefined ? "" : ` (${error.hint})`}`];
  }
  const problems = [];
  if (questions.length !== expected) problems.push(`${questions.length} questions, expected ${expected}`);
  const ids = new Set(questions.map(({ id }) => id));
  if (ids.size !== questions.length) problems.push(`${questions.length - ids.size} ids occur twice`);
  if (sameAs !== undefined) {
    const asked = (all) => JSON.stringify(all.map(({ id, turns }) => [id, turns]).sort(([a], [b]) => (a < b ? -1 : 1)));
    if (asked(questions) !== asked(await load(sameAs))) problems.push(`other questions than ${sameAs}`);
  }
  for (const metric of metrics ?? [benchmark.metrics[0].name]) {
    const { ofAll, unit } = benchmark.metrics.find(({ name: other }) => other === metric);
    const mean = async (answerTo) => {
      const verdicts = [];
      for (const [i, question] of questions.entries()) {
        const text = answerTo(question, i);
        const answer = { turns: question.turns.map(() => text), samples: [text], finish: ["stop"] };
        verdicts.push(await benchmark.grade(question, answer, tools));
      }
      if (ofAll !== undefined) return Number((ofAll(verdicts) / (unit === "percent" ? 100 : 1)).toFixed(12));
      return verdicts.reduce((sum, { scores }) => sum + scores[metric], 0) / questions.length;
    };
    const [best, worst, empty] = [await mean(right), await mean(wrong), await mean(() => "")];
    if (best !== 1) problems.push(`right answers have ${metric} ${best}`);
    if (worst !== 0) problems.push(`wrong answers have ${metric} ${worst}`);
    if (ofAll !== undefined) {
      // Neighbours may be answers to one question on Stack Overflow: half the set lies between.
      const half = Math.floor(questions.length / 2);
      const shuffled = await mean((_, i) => right(questions[(i + half) % questions.length]));
      if (shuffled > 0.1) problems.push(`answers to other questions have ${metric} ${shuffled}`);
    }
    // FinGPT takes no answer for neutral.
    if (empty !== 0 && judge === undefined && !(benchmark.category === "finance" && metric === "accuracy")) {
      problems.push(`empty answers have ${metric} ${empty}`);
    }
  }
  return problems;
}
