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

/** A text with its sentiment. */
export interface Opinion {
  readonly id: string;
  readonly text: string;
  readonly sentiment: Sentiment;
  /** The word for the text in the question. */
  readonly kind: "news" | "tweet";
  /** Replaces the benchmark's own question with the prompt that a model was trained on. */
  readonly prompt?: string;
}

/** The texts that are asked about, and those of worked examples. */
export interface Opinions {
  readonly test: readonly Opinion[];
  readonly train: readonly Opinion[];
}

/** The prompt and the parsing of OpenFedLLM's copy of a FinGPT benchmark. */
export interface OriginalForm {
  readonly layout: "alpaca" | "tight";
  /** Replaces FinGPT's question. */
  readonly instruction?: string;
  /** The word that is looked for first, before the other one. A text with neither is neutral. */
  readonly first: "negative" | "positive";
  /** True where "Neg" and "Pos" are enough. */
  readonly abbreviated: boolean;
}

interface SentimentSpec extends Pick<Benchmark, "title" | "about" | "data"> {
  readonly sources: readonly string[];
  readonly original: OriginalForm;
  readonly opinions: (data: BenchmarkData, shots: number) => Promise<Opinions>;
}

/**
 * Makes a financial sentiment benchmark as FinGPT runs it, with a strict metric beside. FinGPT looks for "positive" anywhere in the
 * answer, then for "negative", and takes everything else for neutral, so nonsense is right on every neutral text. For
 * `strictAccuracy` the answer's first word must be the label.
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
    // Long enough for a sentence around the label; FinGPT's limits go from 10 tokens to the rest of the window.
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
        // The original allows 512 tokens for prompt and answer together; a label does not come later than half of them.
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
  // The space belongs to the answer: tokenizers join it to the word.
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

/** Reads the label as OpenFedLLM does: the answer is the text after the first "Response: " of prompt and answer, up to a second one. */
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

/** Makes FinGPT's split of a dataset that has none: `train_test_split` of `datasets` with seed 42. */
export function fingptSplit<T>(items: readonly T[], share: number): { test: T[]; train: T[] } {
  const { test, train } = testRows(items.length, share, 42);
  return { test: test.map((i) => items[i]!), train: train.map((i) => items[i]!) };
}

/** Tells if rows are training records, which have a prompt of their own, instead of rows of a dataset. */
export function arePrepared(rows: readonly SourcedRow[]): boolean {
  const [first] = rows;
  return first !== undefined && Object.hasOwn(first.fields, "prompt") && Object.hasOwn(first.fields, "completion");
}

/** Makes questions of training records, with their own prompt. */
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

/** Reads a row's label: one of the three words, or a key of `meaning`. */
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
