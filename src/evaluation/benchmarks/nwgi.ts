import { textColumn } from "../benchmark-data.ts";
import type { Benchmark } from "../benchmark.ts";
import {
  sentimentBenchmark,
  sentimentOf,
  type Opinion,
  type Sentiment,
  type SentimentQuestion,
} from "../grading/sentiment.ts";
import { splitRows } from "../grading/split-rows.ts";
import type { SourcedRow } from "../../data/row.ts";

const HUB = "hf:oliverwang15/news_with_gpt_instructions?split=";
/** FinGPT's three labels for the seven degrees: a mild degree is neutral. */
const DEGREES: Readonly<Record<string, Sentiment>> = {
  "strong negative": "negative",
  "moderately negative": "negative",
  "mildly negative": "neutral",
  neutral: "neutral",
  "mildly positive": "neutral",
  "moderately positive": "positive",
  "strong positive": "positive",
};

/** News with GPT Instructions: the labels are a language model's. */
export const nwgi: Benchmark<SentimentQuestion> = sentimentBenchmark({
  title: "NWGI",
  about:
    "about 4,000 news items with labels that a language model gave (the test split): negative, neutral or positive",
  sources: ["huggingface.co/datasets/oliverwang15/news_with_gpt_instructions"],
  data: {
    hub: "oliverwang15/news_with_gpt_instructions",
    local: "a table test with news and label (from strong negative to strong positive)",
  },
  original: { layout: "alpaca", first: "positive", abbreviated: false },
  async opinions(data, shots) {
    const test = await splitRows(data, { split: "test", hub: `${HUB}test`, orOnlyFile: true });
    const train = shots === 0 ? [] : await splitRows(data, { split: "train", hub: `${HUB}train` });
    return { test: test.map(opinion), train: train.map(opinion) };
  },
});

function opinion(row: SourcedRow): Opinion {
  return {
    id: `news/${row.source.record}`,
    text: textColumn(row, "news"),
    kind: "news",
    sentiment: sentimentOf(row, "label", DEGREES),
  };
}
