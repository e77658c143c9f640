import { listColumn, namedRecords, objectColumn, textColumn, type BenchmarkData } from "../benchmark-data.ts";
import { ACCURACY, GREEDY, type Benchmark, type Question } from "../benchmark.ts";
import { likeliestLabel, MACRO_F1, saidLabel } from "../grading/labels.ts";
import { PythonRandom } from "../../tensor/python-random.ts";
import { firstExamples, splitRows } from "../grading/split-rows.ts";
import { isRow, place, type SourcedRow } from "../../data/row.ts";
import { UserError } from "../../diagnostics/user-error.ts";

const LABELS = ["yes", "no", "maybe"] as const;
type Label = (typeof LABELS)[number];

interface Study extends Question {
  readonly decision: Label;
}

/** PubMedQA: questions about abstracts, which are shown without their conclusion. */
export const pubmedqa: Benchmark<Study> = {
  title: "PubMedQA",
  category: "medicine",
  about: "500 questions about an abstract, answered yes, no or maybe; accuracy and macro F1",
  sources: [
    "Jin et al. 2019, PubMedQA, arXiv 1909.06146",
    "github.com/pubmedqa/pubmedqa: evaluation.py (accuracy, macro F1), preprocess/split_dataset.py (the 500 test questions)",
    "github.com/EleutherAI/lm-evaluation-harness, tasks/pubmedqa: prompt without worked examples, the likeliest of the words",
  ],
  data: {
    hub: "qiaojin/PubMedQA (config pqa_labeled)",
    local:
      "ori_pqal.json, with test_ground_truth.json or all 1,000 questions; or a table test with question and answer",
  },
  modes: ["likelihood", "generation"],
  shots: 0,
  generation: { maxNewTokens: 16, stop: [], ...GREEDY },
  metrics: [ACCURACY, MACRO_F1],
  async load(data, { shots = 0 }) {
    const { test, train } = await splitOf(data, shots);
    const examples = firstExamples(data, train, shots).map(({ text, decision }) => `${text} ${decision}`);
    return test.map(({ id, text, decision }) => ({
      id,
      context: { shots: examples },
      turns: [text],
      options: LABELS,
      decision,
    }));
  },
  grade({ decision }, answer) {
    const said = likeliestLabel(answer, LABELS) ?? saidLabel(answer.samples[0] ?? "", LABELS);
    return { scores: { accuracy: said === decision ? 1 : 0 }, parsed: said, expected: decision };
  },
};

interface Item {
  readonly id: string;
  readonly text: string;
  readonly decision: Label;
}

interface Split {
  readonly test: readonly Item[];
  /** Questions outside the test, in the order of the data. */
  readonly train: readonly Item[];
}

async function splitOf(data: BenchmarkData, shots: number): Promise<Split> {
  if (data.local === undefined) {
    const rows = await data.hub("hf:qiaojin/PubMedQA?config=pqa_labeled&split=train");
    return officialSplit(rows.map(labelledItem), data);
  }
  const original = (await data.files()).filter((name) => /(^|\/)ori_pqal\.json$/.test(name));
  if (original.length > 0) return originalSplit(data, original[0]!);
  const test = await splitRows(data, { split: "test", hub: "", orOnlyFile: true, orElse: "ori_pqal.json" });
  const train = shots === 0 ? [] : await splitRows(data, { split: "train", hub: "" });
  return { test: test.map(tableItem), train: train.map(tableItem) };
}

/** Reads the authors' files: questions by their PubMed number, and the test questions' answers by the same. */
async function originalSplit(data: BenchmarkData, name: string): Promise<Split> {
  const items = (await namedRecords(data, name)).map(([id, fields], i) => {
    if (!isRow(fields)) throw new UserError("data", `${name}: ${id} is not an object`);
    const row = { source: { file: name, record: i + 1 }, fields };
    return itemOf(row, id, listColumn(row, "CONTEXTS"), textColumn(row, "QUESTION"), "final_decision");
  });
  const truth = (await data.files()).find((file) => /(^|\/)test_ground_truth\.json$/.test(file));
  if (truth === undefined) return officialSplit(items, data);
  const wanted = new Set((await namedRecords(data, truth)).map(([id]) => id));
  const byId = new Map(items.map((item) => [item.id, item]));
  const test = [...wanted].map((id) => {
    const item = byId.get(id);
    if (item === undefined) throw new UserError("data", `${truth}: ${name} has no question ${id}`);
    return item;
  });
  return { test, train: items.filter(({ id }) => !wanted.has(id)) };
}

/**
 * Finds the 500 of the 1,000 questions that are the test: the authors shuffle the questions of each answer with `random.seed(0)`
 * and use the first half of each for cross-validation.
 */
function officialSplit(items: readonly Item[], data: BenchmarkData): Split {
  if (items.length !== 1000) {
    throw new UserError(
      "data",
      `${data.local ?? "the Hub"}: ${items.length} questions, expected all 1,000 labelled ones`,
      {
        hint: "The split is drawn from all of them. Add test_ground_truth.json, which lists the test questions.",
      },
    );
  }
  const random = new PythonRandom(0);
  const test = LABELS.flatMap((label) => {
    const own = items.filter(({ decision }) => decision === label);
    random.shuffle(own);
    return own.slice(Math.ceil(own.length / 2));
  });
  const ids = new Set(test.map(({ id }) => id));
  return { test, train: items.filter(({ id }) => !ids.has(id)) };
}

/** Reads a row of the Hub. */
function labelledItem(row: SourcedRow): Item {
  const contexts = listColumn({ ...row, fields: objectColumn(row, "context") }, "contexts");
  return itemOf(row, textColumn(row, "pubid"), contexts, textColumn(row, "question"), "final_decision");
}

/** Reads a row of MedAgents-Bench: the abstract and, as its last line, the question are one column. */
function tableItem(row: SourcedRow, i: number): Item {
  if (Object.hasOwn(row.fields, "context")) return labelledItem(row);
  const [question = "", ...contexts] = textColumn(row, "question").trim().split("\n").reverse();
  const { realidx } = row.fields;
  const id = typeof realidx === "string" || typeof realidx === "number" ? String(realidx) : `test/${i}`;
  return itemOf(row, id, contexts.reverse(), question, "answer");
}

function itemOf(row: SourcedRow, id: string, contexts: readonly string[], question: string, column: string): Item {
  const written = textColumn(row, column).trim().toLowerCase();
  const decision = LABELS.find((label) => label === written);
  if (decision === undefined) {
    throw new UserError(
      "data",
      `${place(row.source)}: "${column}" is ${JSON.stringify(written)}, expected yes, no or maybe`,
    );
  }
  return { id, text: `Abstract: ${contexts.join("\n")}\nQuestion: ${question.trim()}\nAnswer:`, decision };
}
