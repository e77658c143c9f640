import { textColumn, type BenchmarkData } from "../benchmark-data.ts";
import type { Benchmark } from "../benchmark.ts";
import {
  arePrepared,
  fingptSplit,
  preparedOpinions,
  sentimentBenchmark,
  sentimentOf,
  type Opinion,
  type Opinions,
  type SentimentQuestion,
} from "../grading/sentiment.ts";
import { splitRows } from "../grading/split-rows.ts";
import { place, type SourcedRow } from "../../data/row.ts";
import { UserError } from "../../diagnostics/user-error.ts";

const HUB = "hf:takala/financial_phrasebank?config=sentences_50agree&split=train";
const NUMBERS = { 0: "negative", 1: "neutral", 2: "positive" } as const;
/** The share of the sentences that FinGPT uses as questions. */
const TEST_SHARE = 0.25;

/** Financial PhraseBank, sentences that at least half of the annotators agree on. */
export const fpb: Benchmark<SentimentQuestion> = sentimentBenchmark({
  title: "FPB",
  about:
    "1,212 sentences of financial news (a quarter of the 4,846, as FinGPT draws them): negative, neutral or positive",
  sources: ["Malo et al. 2014, Good debt or bad debt, JASIST 65(4)"],
  data: {
    hub: "takala/financial_phrasebank (config sentences_50agree)",
    local:
      "Sentences_50Agree.txt, or a table train with sentence and label, of which a quarter is asked; or a table test, of which all is; or records with prompt and completion, asked with their own prompt",
  },
  original: {
    layout: "alpaca",
    instruction: "What is the sentiment of this news? Please choose only one answer from {/negative/neutral/positive}.",
    first: "negative",
    abbreviated: true,
  },
  opinions: opinionsOf,
});

async function opinionsOf(data: BenchmarkData, shots: number): Promise<Opinions> {
  if (data.local === undefined) return fingptSplit((await data.hub(HUB)).map(opinion), TEST_SHARE);
  const names = await data.files();
  const list =
    names.find((name) => /(^|\/)Sentences_50Agree\.txt$/i.test(name)) ??
    (names.length === 1 && /\.txt$/i.test(names[0]!) ? names[0] : undefined);
  if (list !== undefined) return fingptSplit(await sentences(data, list), TEST_SHARE);
  const called = (word: string): boolean => names.some((name) => new RegExp(`(^|[/._-])${word}[._-]`, "i").test(name));
  const whole = called("train") && !called("test");
  const rows = await splitRows(data, {
    split: whole ? "train" : "test",
    hub: HUB,
    orOnlyFile: true,
    orElse: "Sentences_50Agree.txt",
  });
  const read = arePrepared(rows) ? preparedOpinions : (some: readonly SourcedRow[]) => some.map(opinion);
  if (whole && !arePrepared(rows)) return fingptSplit(read(rows), TEST_SHARE);
  return { test: read(rows), train: shots === 0 ? [] : read(await splitRows(data, { split: "train", hub: HUB })) };
}

function opinion(row: SourcedRow): Opinion {
  return {
    id: `sentence/${row.source.record}`,
    text: textColumn(row, "sentence"),
    kind: "news",
    sentiment: sentimentOf(row, "label", NUMBERS),
  };
}

/** Reads the authors' list: one `sentence@label` in each line, in UTF-8 or, as they published it, Latin-1. */
async function sentences(data: BenchmarkData, name: string): Promise<Opinion[]> {
  const text = await data.text(name);
  const lines = (text.includes("\uFFFD") ? await data.text(name, "latin1") : text).split(/\r?\n/);
  const rows = lines.flatMap((line, i): SourcedRow[] => {
    if (line.trim() === "") return [];
    const at = line.lastIndexOf("@");
    const source = { file: name, line: i + 1, record: i + 1 };
    if (at > 0) return [{ source, fields: { sentence: line.slice(0, at), label: line.slice(at + 1) } }];
    throw new UserError("data", `${place(source)}: no label, expected lines such as: Profit rose .@positive`);
  });
  if (rows.length === 0) throw new UserError("data", `${name}: no sentences`);
  return rows.map(opinion);
}
