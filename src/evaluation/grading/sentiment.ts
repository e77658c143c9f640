import { place, type SourcedRow } from "../../data/row.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { textColumn, type BenchmarkData } from "../benchmark-data.ts";
import { ACCURACY, GREEDY, type Benchmark, type LoadOptions, type Question, type Verdict } from "../benchmark.ts";
import { firstWordLabel, likeliestLabel, MACRO_F1, MICRO_F1, WEIGHTED_F1 } from "./labels.ts";
import { testRows } from "../../tensor/numpy-permutation.ts";
import { firstExamples } from "./split-rows.ts";

const SENTIMENTS = ["negative", "neutral", "positive"] as const;
export type Sentiment = (typeof SENTIMENTS)[number];

export interface SentimentQuestion extends Question {
  readonly sentiment: Sentiment;
}

/** A text whose sentiment is asked for. */
export interface Opinion {
  readonly id: string;
  readonly text: string;
  readonly sentiment: Sentiment;
  /** What the question calls it. */
  readonly kind: "news" | "tweet";
  /** Asked in place of the benchmark's own question: how a model was trained to be asked. */
  readonly prompt?: string;
}

/** What is asked, and where worked examples come from. */
export interface Opinions {
  readonly test: readonly Opinion[];
  readonly train: readonly Opinion[];
}

/** How OpenFedLLM's copy of a FinGPT benchmark asks and reads. */
export interface OriginalForm {
  readonly layout: "alpaca" | "tight";
  /** In place of FinGPT's question. */
  readonly instruction?: string;
  /** Looked for first; the other one next; whatever holds neither is neutral. */
  readonly first: "negative" | "positive";
  /** Whether "Neg" and "Pos" are enough. */
  readonly abbreviated: boolean;
}

interface SentimentSpec extends Pick<Benchmark, "title" | "about" | "data"> {
  readonly sources: readonly string[];
  readonly original: OriginalForm;
  readonly opinions: (data: BenchmarkData, shots: number) => Promise<Opinions>;
}

/**
 * A financial sentiment benchmark as FinGPT asks and grades it, and strictly beside. FinGPT looks for "positive" anywhere in
 * the answer, then for "negative", and takes all else for neutral, so that nonsense is right on every neutral text;
 * `strictAccuracy` wants the answer's first word to be the label.
 */
export function sentimentBenchmark({ original, opinions, ...facts }: SentimentSpec): Benchmark<SentimentQuestion> {
  return {
    ...facts,
    category: "finance",
    sources: [
      ...facts.sources,
      "github.com/AI4Finance-Foundation/FinGPT, fingpt/FinGPT_Benchmark/benchmarks: split, prompt, parsing, accuracy and F1",
      "github.com/rui-ye/OpenFedLLM, evaluation/financial (fidelity original): its layouts and parsing",
    ],
    modes: ["generation", "likelihood"],
    shots: 0,
    // Room for a sentence around the label; FinGPT's limits go from 10 tokens to what fits beside the prompt.
    generation: { maxNewTokens: 32, stop: [], ...GREEDY },
    metrics: [
      ACCURACY,
      MACRO_F1,
      MICRO_F1,
      WEIGHTED_F1,
      { name: "strictAccuracy", title: "accuracy by the first word", unit: "share" },
    ],
    async load(data, options) {
      const { shots = 0 } = options;
      const { test, train } = await opinions(data, shots);
      const asked = (opinion: Opinion): string => askedText(opinion, original, options);
      const examples = firstExamples(data, train, shots).map(
        (opinion) => `${asked(opinion).trimEnd()} ${opinion.sentiment}`,
      );
      return test.map((opinion) => ({
        id: opinion.id,
        context: { shots: examples },
        turns: [asked(opinion)],
        options: SENTIMENTS,
        sentiment: opinion.sentiment,
        // There prompt and answer together may reach 512 tokens; a label later than that half is none.
        ...(options.fidelity === "original" ? { generation: { maxNewTokens: 256 } } : {}),
      }));
    },
    grade(question, answer, { fidelity }) {
      const likeliest = likeliestLabel(answer, SENTIMENTS);
      if (likeliest !== undefined) return verdict(question, likeliest, likeliest);
      const text = answer.samples[0] ?? "";
      const read = fidelity === "original" ? originalLabel(question.turns[0]!, text, original) : fingptLabel(text);
      return verdict(question, read, firstWordLabel(text, SENTIMENTS));
    },
  };
}

function verdict({ sentiment }: SentimentQuestion, read: Sentiment, strict: Sentiment | null): Verdict {
  return {
    scores: { accuracy: read === sentiment ? 1 : 0, strictAccuracy: strict === sentiment ? 1 : 0 },
    parsed: read,
    expected: sentiment,
    ...(strict === null ? { note: "its first word is no label" } : {}),
  };
}

function askedText(opinion: Opinion, original: OriginalForm, { fidelity, mode }: LoadOptions): string {
  // The space is the answer's: tokenizers join it to the word.
  if (opinion.prompt !== undefined) return opinion.prompt.trimEnd();
  const { kind, text } = opinion;
  const plain = `What is the sentiment of this ${kind}? Please choose an answer from {negative/neutral/positive}.`;
  if (fidelity !== "original") return `Instruction: ${plain}\nInput: ${text}\nAnswer:`;
  const task =
    "Below is an instruction that describes a task. Write a response that appropriately completes the request.";
  const instruction = original.instruction ?? plain;
  const whole =
    original.layout === "tight"
      ? `${task}\n###Instruction: ${instruction}\nInput: ${text}\n###Response: `
      : `${task}\n\n### Instruction:\n ${instruction}\n\n### Input:\n ${text}\n\n### Response: `;
  return mode === "likelihood" ? whole.trimEnd() : whole;
}

function fingptLabel(text: string): Sentiment {
  if (/[Pp]ositive/.test(text)) return "positive";
  return /[Nn]egative/.test(text) ? "negative" : "neutral";
}

/** There the answer is what follows the first "Response: " of prompt and answer, up to a second one. */
function originalLabel(asked: string, text: string, { first, abbreviated }: OriginalForm): Sentiment {
  const answer = `${asked}${text}`.split("Response: ")[1] ?? text;
  const has = { negative: /[Nn]egative/.test(answer), positive: /[Pp]ositive/.test(answer) };
  if (abbreviated) {
    has.negative ||= answer.includes("Neg");
    has.positive ||= answer.includes("Pos");
  }
  const second = first === "negative" ? "positive" : "negative";
  if (has[first]) return first;
  return has[second] ? second : "neutral";
}

/** FinGPT's split of a dataset that has none: `train_test_split` of `datasets` with seed 42. */
export function fingptSplit<T>(items: readonly T[], share: number): { test: T[]; train: T[] } {
  const { test, train } = testRows(items.length, share, 42);
  return { test: test.map((i) => items[i]!), train: train.map((i) => items[i]!) };
}

/** Whether rows are records to train on, with a prompt of their own, rather than a dataset's. */
export function arePrepared(rows: readonly SourcedRow[]): boolean {
  const [first] = rows;
  return first !== undefined && Object.hasOwn(first.fields, "prompt") && Object.hasOwn(first.fields, "completion");
}

/** Records to train on as questions: asked with their own prompt. */
export function preparedOpinions(rows: readonly SourcedRow[]): Opinion[] {
  return rows.map((row) => {
    const prompt = textColumn(row, "prompt");
    return {
      id: `record/${row.source.record}`,
      text: prompt,
      kind: "news",
      prompt,
      sentiment: sentimentOf(row, "completion", {}),
    };
  });
}

/** A row's label, written as one of the three words or by what `meaning` holds. */
export function sentimentOf(row: SourcedRow, column: string, meaning: Readonly<Record<string, Sentiment>>): Sentiment {
  const written = textColumn(row, column).trim().toLowerCase();
  const label = Object.hasOwn(meaning, written) ? meaning[written] : SENTIMENTS.find((each) => each === written);
  if (label !== undefined) return label;
  const legal = [...new Set([...Object.keys(meaning), ...SENTIMENTS])].join(", ");
  throw new UserError(
    "data",
    `${place(row.source)}: "${column}" is ${JSON.stringify(written)}, expected one of ${legal}`,
  );
}
