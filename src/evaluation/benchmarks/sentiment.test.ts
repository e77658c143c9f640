import { describe, expect, it } from "vitest";
import { DEFAULTS, folderOf, hubOf, jsonLines, said, TOOLS } from "../../../test/support/benchmark-data.ts";
import { benchmarkData } from "../benchmark-data.ts";
import type { Benchmark, Verdict } from "../benchmark.ts";
import type { SentimentQuestion } from "../grading/sentiment.ts";
import { fiqa } from "./fiqa.ts";
import { fpb } from "./fpb.ts";
import { nwgi } from "./nwgi.ts";
import { tfns } from "./tfns.ts";

const ORIGINAL = { ...DEFAULTS, fidelity: "original" } as const;
const question = (sentiment: SentimentQuestion["sentiment"]): SentimentQuestion => ({
  id: "1",
  turns: ["?"],
  sentiment,
});
const read = (benchmark: Benchmark<SentimentQuestion>, text: string, fidelity: "paper" | "original") =>
  (benchmark.grade(question("neutral"), said(text), { fidelity }) as Verdict).parsed;

describe("FinGPT's reading of an answer", () => {
  // By FinGPT; by OpenFedLLM's FPB, TFNS, FiQA (and NWGI); the first word.
  it.each([
    ["positive", "positive", "positive", "positive", "positive", "positive"],
    [" Negative.", "negative", "negative", "negative", "negative", "negative"],
    ["neutral", "neutral", "neutral", "neutral", "neutral", "neutral"],
    ["**Positive**", "positive", "positive", "positive", "positive", "positive"],
    ["not positive but negative", "positive", "negative", "positive", "positive", null],
    ["negative, not positive", "positive", "negative", "positive", "positive", "negative"],
    ["positive/negative/neutral", "positive", "negative", "positive", "positive", null],
    ["POSITIVE", "neutral", "neutral", "neutral", "neutral", "positive"],
    ["Pos", "neutral", "positive", "positive", "neutral", null],
    ["Neg", "neutral", "negative", "negative", "neutral", null],
    ["positively", "positive", "positive", "positive", "positive", null],
    ["The sentiment is negative", "negative", "negative", "negative", "negative", null],
    ["I like bread.", "neutral", "neutral", "neutral", "neutral", null],
    ["积极", "neutral", "neutral", "neutral", "neutral", null],
    ["", "neutral", "neutral", "neutral", "neutral", null],
    ["neutral\n### Response: positive", "positive", "neutral", "neutral", "neutral", "neutral"],
  ])("%j", (text, fingpt, ofFpb, ofTfns, ofFiqa, strict) => {
    for (const benchmark of [fpb, fiqa, tfns, nwgi]) expect(read(benchmark, text, "paper")).toBe(fingpt);
    // What follows the prompt's own "Response: " is the answer; there a second one ends it.
    const asked = (benchmark: Benchmark<SentimentQuestion>) =>
      (
        benchmark.grade({ ...question("neutral"), turns: ["### Response: "] }, said(text), {
          fidelity: "original",
        }) as Verdict
      ).parsed;
    expect([fpb, tfns, fiqa, nwgi].map(asked)).toEqual([ofFpb, ofTfns, ofFiqa, ofFiqa]);
    for (const label of ["negative", "neutral", "positive"] as const) {
      const { scores } = fpb.grade(question(label), said(text), TOOLS) as Verdict;
      expect(scores).toEqual({ accuracy: label === fingpt ? 1 : 0, strictAccuracy: label === strict ? 1 : 0 });
    }
  });

  it("takes nonsense for neutral, which strictly is wrong", () => {
    expect(fpb.grade(question("neutral"), said("asdf"), TOOLS)).toEqual({
      scores: { accuracy: 1, strictAccuracy: 0 },
      parsed: "neutral",
      expected: "neutral",
      note: "its first word is no label",
    });
  });

  it("takes the likeliest label by likelihood", () => {
    const likelihoods = [-3, -1, -2].map((logProbability) => ({ logProbability, tokens: 1 }));
    const answer = { turns: [], samples: [], finish: [], likelihoods };
    expect(fpb.grade(question("neutral"), answer, TOOLS)).toEqual({
      scores: { accuracy: 1, strictAccuracy: 1 },
      parsed: "neutral",
      expected: "neutral",
    });
  });

  it("averages F1 over the labels as scikit-learn does", () => {
    // f1_score gives these for truth and prediction below: labels' F1 2/3, 1/2, 4/5.
    const pairs = [
      ["negative", "negative"],
      ["negative", "neutral"],
      ["neutral", "neutral"],
      ["neutral", "positive"],
      ["positive", "positive"],
      ["positive", "positive"],
    ];
    const verdicts = pairs.map(([expected, parsed]) => ({ scores: {}, expected: expected!, parsed: parsed! }));
    const values = Object.fromEntries(
      fpb.metrics.flatMap(({ name, ofAll }) => (ofAll === undefined ? [] : [[name, ofAll(verdicts)]])),
    );
    expect(values["macroF1"]).toBeCloseTo((2 / 3 + 1 / 2 + 4 / 5) / 3, 12);
    expect(values["microF1"]).toBeCloseTo(4 / 6, 12);
    expect(values["weightedF1"]).toBeCloseTo((2 / 3 + 1 / 2 + 4 / 5) / 3, 12);
  });
});

describe("FPB", () => {
  const list = Array.from(
    { length: 9 },
    (_, i) => `Profit of shop ${i} rose @ noon .@${["positive", "neutral", "negative"][i % 3]}`,
  );
  const folder = folderOf({
    "Sentences_50Agree.txt": `${list.join("\r\n")}\r\n`,
    "Sentences_AllAgree.txt": "x@neutral\n",
  });

  it("asks a quarter of the list, FinGPT's, in its order", async () => {
    const questions = await fpb.load(folder, DEFAULTS);
    // numpy.random.default_rng(42).permutation(9)[:3]
    expect(questions.map(({ id, sentiment }) => [id, sentiment])).toEqual([
      ["sentence/4", "positive"],
      ["sentence/1", "positive"],
      ["sentence/8", "neutral"],
    ]);
    const row = Number(questions[0]!.id.split("/")[1]) - 1;
    expect(questions[0]!.turns).toEqual([
      `Instruction: What is the sentiment of this news? Please choose an answer from {negative/neutral/positive}.\nInput: Profit of shop ${row} rose @ noon .\nAnswer:`,
    ]);
    const rows = list.map((line, i) => ({ sentence: line.slice(0, line.lastIndexOf("@")), label: [2, 1, 0][i % 3] }));
    const hub = hubOf({ "hf:takala/financial_phrasebank?config=sentences_50agree&split=train": rows });
    expect(await fpb.load(hub, DEFAULTS)).toEqual(questions);
    expect(await fpb.load(folderOf({ "train.jsonl": jsonLines(...rows) }), DEFAULTS)).toEqual(questions);
    expect(await fpb.load(folderOf({ "test.jsonl": jsonLines(...rows) }), DEFAULTS)).toHaveLength(9);
  });

  it("takes worked examples from the other sentences", async () => {
    const questions = await fpb.load(folder, { ...DEFAULTS, shots: 2 });
    const { shots } = questions[0]!.context!;
    expect(shots).toHaveLength(2);
    for (const shot of shots) expect(shot).toMatch(/\nAnswer: (negative|neutral|positive)$/);
    for (const { turns } of questions) expect(shots.some((shot) => shot.startsWith(turns[0]!))).toBe(false);
  });

  it("asks under fidelity original as OpenFedLLM does", async () => {
    const [first] = await fpb.load(folder, ORIGINAL);
    expect(first!.turns[0]).toMatch(
      /^Below is an instruction that describes a task\. .*\n\n### Instruction:\n What is the .* only one answer from \{\/negative\/neutral\/positive\}\.\n\n### Input:\n Profit of shop \d rose @ noon \.\n\n### Response: $/,
    );
    expect(first!.generation).toEqual({ maxNewTokens: 256 });
    const [likely] = await fpb.load(folder, { ...ORIGINAL, mode: "likelihood" });
    expect(likely!.turns[0]).toMatch(/### Response:$/);
  });

  it("reads the authors' Latin-1", async () => {
    const bytes = new Uint8Array(Buffer.from("Björn sold .@positive\n", "latin1"));
    const reader = {
      list: () => Promise.resolve([{ name: "Sentences_AllAgree.txt", path: "x" }]),
      read: () => Promise.resolve(bytes),
    };
    const [only] = await fpb.load(benchmarkData(reader, "x"), DEFAULTS);
    expect(only!.turns[0]).toContain("Input: Björn sold .\n");
  });

  it("asks records for training with their own prompt", async () => {
    const records = [
      { prompt: "Sales fell .\nSentiment: ", completion: "negative" },
      { prompt: "Sales are flat .\nSentiment: ", completion: "neutral" },
    ];
    const questions = await fpb.load(folderOf({ "fpb.test.jsonl": jsonLines(...records) }), DEFAULTS);
    expect(questions.map(({ turns, sentiment }) => [turns[0], sentiment])).toEqual([
      ["Sales fell .\nSentiment:", "negative"],
      ["Sales are flat .\nSentiment:", "neutral"],
    ]);
    const pair = { "fpb.test.jsonl": jsonLines(records[0]!), "fpb.train.jsonl": jsonLines(records[1]!) };
    const [only] = await fpb.load(folderOf(pair), { ...DEFAULTS, shots: 1 });
    expect(only!.context!.shots).toEqual(["Sales are flat .\nSentiment: neutral"]);
  });

  it.each([
    [
      "a line without a label",
      { "Sentences_50Agree.txt": "Profit rose .\n" },
      "line 1: no label, expected lines such as",
    ],
    [
      "an unknown label",
      { "Sentences_50Agree.txt": "Profit rose .@good\n" },
      '"label" is "good", expected one of 0, 1, 2, negative',
    ],
    ["an empty list", { "Sentences_50Agree.txt": "\n" }, "no sentences"],
    ["a table of other columns", { "test.jsonl": jsonLines({ text: "x", label: 1 }) }, 'no column "sentence"'],
    ["an unknown completion", { "test.jsonl": jsonLines({ prompt: "x", completion: "up" }) }, '"completion" is "up"'],
    ["an empty folder", {}, /no .*test\.jsonl/],
  ])("refuses %s", async (_, files, message) => {
    await expect(fpb.load(folderOf(files as Record<string, string>), DEFAULTS)).rejects.toThrow(message);
  });
});

describe("FiQA", () => {
  const text = (sentence: string, ...scores: (string | number)[]) => ({
    sentence,
    info: scores.map((sentiment_score) => ({ snippets: "['x']", target: "X", sentiment_score, aspects: "['Stock']" })),
  });
  const challenge = {
    "task1_headline_ABSA_test.json": JSON.stringify({
      8: text("Shop shuts", "-0.8", "0.3"),
      12: text("Shop opens late", "-0.1"),
    }),
    "task1_post_ABSA_test.json": JSON.stringify({ 3: text("buying $SHOP", "0.1") }),
    "task1_post_ABSA_train.json": JSON.stringify({ 4: text("selling $SHOP", "-0.11") }),
  };

  it("makes three classes of scores, a question of each, and says tweet of a post", async () => {
    const questions = await fiqa.load(folderOf(challenge), { ...DEFAULTS, shots: 1 });
    expect(questions.map(({ id, sentiment }) => [id, sentiment])).toEqual([
      ["headline/8/0", "negative"],
      ["headline/8/1", "positive"],
      ["headline/12/0", "neutral"],
      ["post/3/0", "positive"],
    ]);
    expect(questions[0]!.turns[0]).toContain("of this news?");
    expect(questions[3]!.turns[0]).toContain("of this tweet?");
    expect(questions[0]!.context!.shots[0]).toMatch(/Input: selling \$SHOP\nAnswer: negative$/);
  });

  it("draws FinGPT's part of the Hub's three splits together", async () => {
    const rows = (split: string, count: number) =>
      Array.from({ length: count }, (_, i) => ({
        sentence: `${split} ${i}`,
        sentiment_score: i / 10,
        format: i % 2 === 0 ? "post" : "headline",
      }));
    const hub = hubOf({
      "hf:pauri32/fiqa-2018?split=train": rows("train", 6),
      "hf:pauri32/fiqa-2018?split=validation": rows("validation", 2),
      "hf:pauri32/fiqa-2018?split=test": rows("test", 2),
    });
    const questions = await fiqa.load(hub, DEFAULTS);
    // ceil(0.226 · 10) of default_rng(42).permutation(10): 5, 6, 0.
    expect(questions.map(({ id }) => id)).toEqual(["train/6", "validation/1", "train/1"]);
    const again = await fiqa.load(
      folderOf({ "test.jsonl": jsonLines({ sentence: "x", score: -0.5, type: "post" }) }),
      DEFAULTS,
    );
    expect(again[0]).toMatchObject({ sentiment: "negative" });
    expect(again[0]!.turns[0]).toContain("tweet");
  });

  it("refuses what is no score", async () => {
    const broken = (texts: object) => folderOf({ "task1_post_ABSA_test.json": JSON.stringify(texts) });
    await expect(fiqa.load(broken({ 1: text("x", "good") }), DEFAULTS)).rejects.toThrow('"sentiment_score" is "good"');
    await expect(fiqa.load(broken({ 1: text("x", "") }), DEFAULTS)).rejects.toThrow("expected a number from −1 to 1");
    await expect(fiqa.load(broken({ 1: text("x") }), DEFAULTS)).rejects.toThrow("record 1: no scores");
    await expect(fiqa.load(folderOf({ "task1_post_ABSA_test.json": "{" }), DEFAULTS)).rejects.toThrow("not valid JSON");
  });
});

describe("TFNS and NWGI", () => {
  it("reads the tweets' numbers, in OpenFedLLM's own layout under fidelity original", async () => {
    const csv = "label,text\n0,$SHOP down\n1,$SHOP up\n2,$SHOP reports\n";
    const folder = folderOf({ "sent_valid.csv": csv, "sent_train.csv": csv });
    const questions = await tfns.load(folder, DEFAULTS);
    expect(questions.map(({ sentiment }) => sentiment)).toEqual(["negative", "positive", "neutral"]);
    const [first] = await tfns.load(folder, ORIGINAL);
    expect(first!.turns[0]).toBe(
      "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n###Instruction: What is the sentiment of this tweet? Please choose an answer from {negative/neutral/positive}.\nInput: $SHOP down\n###Response: ",
    );
    const hub = hubOf({ "hf:zeroshot/twitter-financial-news-sentiment?split=validation": [{ text: "x", label: 1n }] });
    expect((await tfns.load(hub, DEFAULTS))[0]!.sentiment).toBe("positive");
    await expect(tfns.load(folderOf({ "sent_valid.csv": "text,label\nx,3\n" }), DEFAULTS)).rejects.toThrow(
      '"label" is "3", expected one of 0, 1, 2',
    );
  });

  it("takes mild news for neutral", async () => {
    const labels = ["strong negative", "mildly negative", "neutral", "mildly positive", "Moderately Positive"];
    const rows = labels.map((label, i) => ({ news: `News ${i}`, label }));
    const hub = hubOf({ "hf:oliverwang15/news_with_gpt_instructions?split=test": rows });
    expect((await nwgi.load(hub, DEFAULTS)).map(({ sentiment }) => sentiment)).toEqual([
      "negative",
      "neutral",
      "neutral",
      "neutral",
      "positive",
    ]);
    const other = folderOf({ "test.jsonl": jsonLines({ news: "x", label: "great" }) });
    await expect(nwgi.load(other, DEFAULTS)).rejects.toThrow('"label" is "great", expected one of strong negative');
  });
});
