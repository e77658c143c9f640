import { namedRecords, textColumn, type BenchmarkData } from "../benchmark-data.ts";
import type { Benchmark } from "../benchmark.ts";
import {
  arePrepared,
  fingptSplit,
  preparedOpinions,
  sentimentBenchmark,
  type Opinion,
  type Opinions,
  type Sentiment,
  type SentimentQuestion,
} from "../grading/sentiment.ts";
import { splitRows } from "../grading/split-rows.ts";
import { isRow, place, type RowSource, type SourcedRow } from "../../data/row.ts";
import { UserError } from "../../diagnostics/user-error.ts";

const HUB = "hf:pauri32/fiqa-2018?split=";
const SPLITS = ["train", "validation", "test"] as const;
/** The share of the texts that FinGPT uses as questions. */
const TEST_SHARE = 0.226;

/** FiQA 2018, task 1: opinions with a score from −1 to 1. */
export const fiqa: Benchmark<SentimentQuestion> = sentimentBenchmark({
  title: "FiQA-SA",
  about:
    "headlines and posts about finance (22.6 % of the Hub's, as FinGPT draws them), scores below −0.1 negative, from 0.1 on positive",
  sources: ["Maia et al. 2018, WWW'18 Open Challenge: Financial Opinion Mining and Question Answering"],
  data: {
    hub: "pauri32/fiqa-2018",
    local:
      "task1_headline_ABSA_test.json and task1_post_ABSA_test.json; or a table test with sentence, sentiment_score (or score) and format (or type); or records with prompt and completion, asked with their own prompt",
  },
  original: { layout: "alpaca", first: "positive", abbreviated: false },
  opinions: opinionsOf,
});

async function opinionsOf(data: BenchmarkData, shots: number): Promise<Opinions> {
  if (data.local === undefined) {
    const splits: SourcedRow[][] = [];
    for (const split of SPLITS) splits.push([...(await data.hub(HUB + split))]);
    return fingptSplit(
      splits.flatMap((rows, at) => rows.map((row) => opinion(row, SPLITS[at]!))),
      TEST_SHARE,
    );
  }
  const test = await challenge(data, "test");
  if (test.length > 0) return { test, train: shots === 0 ? [] : await challenge(data, "train") };
  const read = (rows: readonly SourcedRow[], split: string): Opinion[] =>
    arePrepared(rows) ? preparedOpinions(rows) : rows.map((row) => opinion(row, split));
  return {
    test: read(
      await splitRows(data, { split: "test", hub: HUB, orOnlyFile: true, orElse: "task1_headline_ABSA_test.json" }),
      "test",
    ),
    train: shots === 0 ? [] : read(await splitRows(data, { split: "train", hub: HUB }), "train"),
  };
}

/** Reads the challenge's own files: texts by their number, each with one or more scores. Every score is a question, as on the Hub. */
async function challenge(data: BenchmarkData, split: "test" | "train"): Promise<Opinion[]> {
  const shape = new RegExp(`(?:^|/)task1_(headline|post)_ABSA_${split}\\.json$`);
  const files = (await data.files()).filter((name) => shape.test(name));
  const opinions: Opinion[] = [];
  for (const file of files) {
    const format = shape.exec(file)![1]!;
    (await namedRecords(data, file)).forEach(([number, given], i) => {
      const source: RowSource = { file, record: i + 1 };
      const info = isRow(given) && Array.isArray(given["info"]) ? given["info"].filter(isRow) : [];
      if (!isRow(given) || info.length === 0) {
        throw new UserError("data", `${place(source)}: no scores, expected sentence and info with a sentiment_score`);
      }
      info.forEach(({ sentiment_score }, aspect) => {
        const fields = { sentence: given["sentence"], sentiment_score, format };
        opinions.push({ ...opinion({ source, fields }, split), id: `${format}/${number}/${aspect}` });
      });
    });
  }
  return opinions;
}

function opinion(row: SourcedRow, split: string): Opinion {
  const { fields, source } = row;
  const column =
    Object.hasOwn(fields, "score") && !Object.hasOwn(fields, "sentiment_score") ? "score" : "sentiment_score";
  const written = textColumn(row, column);
  const score = written.trim() === "" ? Number.NaN : Number(written);
  if (!(score >= -1 && score <= 1)) {
    throw new UserError(
      "data",
      `${place(source)}: "${column}" is ${JSON.stringify(written)}, expected a number from −1 to 1`,
    );
  }
  const format = fields["format"] ?? fields["type"];
  return {
    id: `${split}/${source.record}`,
    text: textColumn(row, "sentence"),
    kind: format === "post" ? "tweet" : "news",
    sentiment: sentimentOfScore(score),
  };
}

function sentimentOfScore(score: number): Sentiment {
  if (score < -0.1) return "negative";
  return score < 0.1 ? "neutral" : "positive";
}
