import { textColumn } from "../benchmark-data.ts";
import type { Benchmark } from "../benchmark.ts";
import { sentimentBenchmark, sentimentOf, type Opinion, type SentimentQuestion } from "../grading/sentiment.ts";
import { splitRows } from "../grading/split-rows.ts";
import type { SourcedRow } from "../../data/row.ts";

const HUB = "hf:zeroshot/twitter-financial-news-sentiment?split=";
/** The Hub calls them bearish, bullish and neutral. */
const NUMBERS = { 0: "negative", 1: "positive", 2: "neutral" } as const;

/** Twitter Financial News Sentiment. */
export const tfns: Benchmark<SentimentQuestion> = sentimentBenchmark({
  title: "TFNS",
  about: "2,388 tweets about finance (the validation split): negative, neutral or positive",
  sources: ["huggingface.co/datasets/zeroshot/twitter-financial-news-sentiment"],
  data: {
    hub: "zeroshot/twitter-financial-news-sentiment",
    local: "a table validation (sent_valid.csv) with text and label (0 negative, 1 positive, 2 neutral)",
  },
  original: { layout: "tight", first: "positive", abbreviated: true },
  async opinions(data, shots) {
    const valid = await splitRows(data, { split: "validation", hub: `${HUB}validation`, orOnlyFile: true });
    const train = shots === 0 ? [] : await splitRows(data, { split: "train", hub: `${HUB}train` });
    return { test: valid.map(opinion), train: train.map(opinion) };
  },
});

function opinion(row: SourcedRow): Opinion {
  return {
    id: `tweet/${row.source.record}`,
    text: textColumn(row, "text"),
    kind: "tweet",
    sentiment: sentimentOf(row, "label", NUMBERS),
  };
}
