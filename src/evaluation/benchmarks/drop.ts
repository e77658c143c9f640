import { isRow, place, type SourcedRow } from "../../data/row.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { objectColumn, oneFile, textColumn, type BenchmarkData } from "../benchmark-data.ts";
import { GREEDY, type Benchmark, type Question } from "../benchmark.ts";
import { dropMetric } from "../metrics/drop-metric.ts";

interface Reading {
  readonly id: string;
  /** Passage, question and `Answer:`. */
  readonly text: string;
  /** The right answers, each a list of spans. */
  readonly answers: readonly (readonly string[])[];
}

interface ReadingQuestion extends Question {
  readonly answers: readonly (readonly string[])[];
}

const HUB = "hf:EleutherAI/drop?split=";

/** Discrete Reasoning Over Paragraphs. */
export const drop: Benchmark<ReadingQuestion> = {
  title: "DROP",
  category: "reasoning",
  about: "9,536 questions that need counting, sorting or sums over a paragraph; 3 worked examples; official EM and F1",
  sources: [
    "Dua et al. 2019, DROP: A Reading Comprehension Benchmark Requiring Discrete Reasoning Over Paragraphs, arXiv 1903.00161",
    "github.com/allenai/allennlp-reading-comprehension, eval/drop_eval.py: the metric",
    "github.com/openai/simple-evals, drop_eval.py: three shots, and the data's form",
  ],
  data: {
    hub: "EleutherAI/drop",
    local:
      "drop_v0_dev.jsonl(.gz) of simple-evals (context, ref_text), or a file with passage, question, answer and validated_answers (or ucinlp/drop's answers_spans); drop_v0_train.jsonl(.gz) beside it gives the worked examples, else the last questions of the file do, which are then not asked",
  },
  modes: ["generation"],
  shots: 3,
  generation: { maxNewTokens: 64, stop: ["\n", "Passage:"], ...GREEDY },
  metrics: [
    { name: "f1", title: "F1", unit: "share" },
    { name: "exactMatch", title: "exact match", unit: "share" },
  ],
  async load(data, { shots = 3 }) {
    const { asked, examples } = await readingsOf(data, shots);
    const worked = examples.map(({ text, answers }) => `${text} ${answers[0]!.join(", ")}`);
    return asked.map(({ id, text, answers }) => ({ id, context: { shots: worked }, turns: [text], answers }));
  },
  grade({ answers }, { samples: [text = ""] }) {
    const answer = text.trim();
    if (answer === "") return { scores: { f1: 0, exactMatch: 0 }, parsed: null, expected: answers[0]!.join(", ") };
    // An answer in words is one span, as in simple-evals and lm-evaluation-harness.
    const { f1, exactMatch } = dropMetric([answer], answers);
    return { scores: { f1, exactMatch }, parsed: answer, expected: answers[0]!.join(", ") };
  },
};

async function readingsOf(
  data: BenchmarkData,
  shots: number,
): Promise<{ asked: readonly Reading[]; examples: readonly Reading[] }> {
  if (data.local === undefined) {
    const examples = shots === 0 ? [] : (await data.hub(`${HUB}train`)).slice(0, shots).map(readingOf);
    return { asked: (await data.hub(`${HUB}validation`)).map(readingOf), examples };
  }
  const files = await data.files();
  const train = files.find((name) => /train[^/]*\.(jsonl|json|parquet)(\.gz)?$/.test(name));
  const name =
    files.length === 1
      ? files[0]!
      : await oneFile(data, /(dev|validation)[^/]*\.(jsonl|json|parquet)(\.gz)?$/, "drop_v0_dev.jsonl");
  const all = (await data.rows(name)).map(readingOf);
  if (train !== undefined) return { asked: all, examples: (await data.rows(train)).slice(0, shots).map(readingOf) };
  if (shots >= all.length) {
    throw new UserError(
      "data",
      `${data.local}: ${all.length} questions are too few for ${shots} worked examples among them`,
      {
        hint: "Run without worked examples: --shots 0.",
      },
    );
  }
  return { asked: all.slice(0, all.length - shots), examples: all.slice(all.length - shots) };
}

function readingOf(row: SourcedRow, index: number): Reading {
  const { fields } = row;
  if (fields["context"] !== undefined || fields["ref_text"] !== undefined) {
    const text = textColumn(row, "context").trim();
    const answers = textColumn(row, "ref_text")
      .split("|")
      .map((answer) => [answer.trim()]);
    return { id: `dev/${index}`, text, answers };
  }
  const passage = textColumn(row, "passage");
  const question = textColumn(row, "question");
  const id = isRow(fields) && typeof fields["query_id"] === "string" ? fields["query_id"] : `validation/${index}`;
  return {
    id,
    text: `Passage: ${passage.trim()}\nQuestion: ${question.trim()}\nAnswer:`,
    answers: fields["answers_spans"] === undefined ? annotatedAnswers(row) : joinedAnswers(row),
  };
}

/** Lists the right answers of a row, one an annotator: the first one's `answer`, then the `validated_answers`. */
function annotatedAnswers(row: SourcedRow): string[][] {
  const validated = row.fields["validated_answers"] ?? [];
  const others = Array.isArray(validated) ? validated : rowsOfColumns(objectColumn(row, "validated_answers"));
  const answers = [objectColumn(row, "answer"), ...others].map((answer, i) => {
    const spans = isRow(answer) ? spansOf(answer) : undefined;
    if (spans !== undefined) return spans;
    const which = i === 0 ? '"answer"' : `"validated_answers" ${i}`;
    throw new UserError("data", `${place(row.source)}: ${which} has no number, spans or date`);
  });
  return [...new Map(answers.map((spans) => [JSON.stringify(spans), spans])).values()];
}

/** Turns `{ number: [a, b], spans: [c, d] }`, as `datasets` writes a list of objects, to the list. */
function rowsOfColumns(columns: Readonly<Record<string, unknown>>): Record<string, unknown>[] {
  const lists = Object.entries(columns).filter((column): column is [string, unknown[]] => Array.isArray(column[1]));
  const length = Math.max(0, ...lists.map(([, list]) => list.length));
  return Array.from({ length }, (_, i) => Object.fromEntries(lists.map(([name, list]) => [name, list[i]])));
}

/** Reads one annotator's answer as the official program does: the number, or else the spans, or else the date. */
function spansOf({ number, spans, date }: Readonly<Record<string, unknown>>): string[] | undefined {
  if ((typeof number === "string" && number !== "") || typeof number === "number") return [String(number)];
  if (Array.isArray(spans) && spans.length > 0) return spans.map(String);
  if (!isRow(date)) return undefined;
  return [
    [date["day"], date["month"], date["year"]]
      .map((part) => (typeof part === "string" ? part : ""))
      .join(" ")
      .trim(),
  ];
}

/** Lists the right answers of a row of ucinlp/drop, which joins all annotators: each text alone, and all together. */
function joinedAnswers(row: SourcedRow): string[][] {
  const { spans } = objectColumn(row, "answers_spans");
  if (!Array.isArray(spans) || spans.length === 0 || !spans.every((span) => typeof span === "string")) {
    throw new UserError("data", `${place(row.source)}: "answers_spans" has no list of texts "spans"`);
  }
  const one = spans.map((span) => [span]);
  return spans.length === 1 ? one : [[...new Set(spans)], ...one];
}
