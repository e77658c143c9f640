import { describe, expect, it } from "vitest";
import { DEFAULTS, folderOf, hubOf, jsonLines, said, TOOLS } from "../../../test/support/benchmark-data.ts";
import { bbh, bbhAnswer } from "./bbh.ts";
import { drop } from "./drop.ts";
import { gsm8k } from "./gsm8k.ts";
import { math } from "./math.ts";

describe("GSM8K", () => {
  const rows = [
    { question: "A pen costs 3 and a book 4. What do both cost?", answer: "3 + 4 = 7\n#### 7" },
    { question: "A hall has 40 rows of 30 seats. How many seats?", answer: "40 * 30 = 1,200\n#### 1,200" },
  ];
  const folder = folderOf({ "test.jsonl": jsonLines(...rows), "train.jsonl": jsonLines(...rows.toReversed()) });

  it("asks with worked examples of the train split, as many as are asked for", async () => {
    const [first] = await gsm8k.load(folder, { ...DEFAULTS, shots: 1 });
    expect(first!.context!.shots).toEqual([
      "Question: A hall has 40 rows of 30 seats. How many seats?\nAnswer: 40 * 30 = 1,200\n#### 1,200",
    ]);
    expect(first!.turns).toEqual(["Question: A pen costs 3 and a book 4. What do both cost?\nAnswer:"]);
    const hub = hubOf({
      "hf:openai/gsm8k?config=main&split=test": rows,
      "hf:openai/gsm8k?config=main&split=train": rows,
    });
    expect(await gsm8k.load(hub, DEFAULTS)).toHaveLength(2);
  });

  it.each([
    ["#### 1200", 1, 1],
    ["So 40 times 30.\n#### 1,200.", 1, 1],
    ["It has 1,200 seats", 0, 1],
    ["First 1200, no: 1300", 0, 0],
    ["#### 1300, or 1200", 0, 0],
    ["#### $1200", 0, 1],
    ["座位有一千二百个", 0, 0],
    ["", 0, 0],
  ])("%j scores %d strictly, %d by the last number", async (text, strict, flexible) => {
    const seats = (await gsm8k.load(folder, DEFAULTS))[1]!;
    expect(await gsm8k.grade(seats, said(text), TOOLS)).toMatchObject({
      scores: { exactMatch: strict, flexible },
      expected: "1200",
    });
  });

  it("grades the official answers right", async () => {
    for (const [i, question] of (await gsm8k.load(folder, DEFAULTS)).entries()) {
      const { scores } = await gsm8k.grade(question, said(rows[i]!.answer), TOOLS);
      expect(scores).toEqual({ exactMatch: 1, flexible: 1 });
    }
  });

  it("refuses an answer that has no result", async () => {
    const broken = folderOf({ "test.jsonl": jsonLines({ question: "How many?", answer: "seven" }) });
    await expect(gsm8k.load(broken, { ...DEFAULTS, shots: 0 })).rejects.toThrow(
      "line 1: the answer has no number after ####",
    );
  });
});

describe("BBH", () => {
  const prompt = [
    "A notice.\n-----\nSort the words.\n",
    "Q: pear fig\nA: Let's think step by step.\nf before p. So the answer is fig pear.\n",
    "Q: sun moon\nA: Let's think step by step.\nm before s. So the answer is moon sun.",
  ].join("\n");
  const examples = [
    { input: "oak elm", target: "elm oak" },
    { input: "red blue", target: "blue red" },
  ];
  const folder = folderOf({
    "cot-prompts/word_sorting.txt": prompt,
    "word_sorting.json": JSON.stringify({ canary: "a notice", examples }),
  });

  it("asks with the authors' worked examples and their task in a sentence", async () => {
    const questions = await bbh.load(folder, DEFAULTS);
    expect(questions.map(({ id, group }) => [id, group])).toEqual([
      ["word_sorting/0", "word_sorting"],
      ["word_sorting/1", "word_sorting"],
    ]);
    expect(questions[0]!.context).toEqual({
      preamble: "Sort the words.",
      shots: [
        "Q: pear fig\nA: Let's think step by step.\nf before p. So the answer is fig pear.",
        "Q: sun moon\nA: Let's think step by step.\nm before s. So the answer is moon sun.",
      ],
    });
    expect(questions[0]!.turns).toEqual(["Q: oak elm\nA: Let's think step by step."]);
  });

  it.each([
    ["e before o. So the answer is elm oak.", "elm oak", "elm oak"],
    ["the answer is oak. No, the answer is elm oak", "elm oak", "elm oak"],
    ["elm oak", "elm oak", "elm oak"],
    ["So the answer is (B).", "(B)", "(B)"],
    ["So the answer is (C) because (B) is not.", "(B)", "(C)"],
    ["B", "(B)", "B"],
    ["答案是 (B)", "(B)", "(B)"],
    ["", "(B)", ""],
  ])("reads out of %j, where %s is right, %s", (text, target, parsed) => {
    expect(bbhAnswer(text, target)).toBe(parsed);
  });

  it("says what is missing", async () => {
    await expect(bbh.load(folderOf({ "other.json": "[]" }), DEFAULTS)).rejects.toThrow("none of BBH's tasks");
    const bare = folderOf({ "word_sorting.json": JSON.stringify(examples) });
    await expect(bbh.load(bare, DEFAULTS)).rejects.toThrow("cot-prompts/word_sorting.txt is missing");
    expect(await bbh.load(bare, { ...DEFAULTS, shots: 0 })).toHaveLength(2);
    const renamed = folderOf({ "word_sorting.json": JSON.stringify([{ question: "oak elm", answer: "elm oak" }]) });
    await expect(bbh.load(renamed, { ...DEFAULTS, shots: 0 })).rejects.toThrow('record 1: no column "input"');
    await expect(bbh.load(hubOf({}), DEFAULTS)).rejects.toThrow("the Hub's copy of bbh has no worked examples");
  });
});

describe("MATH", () => {
  const row = (problem: string, result: string) => ({
    problem,
    solution: `Reckoning gives $\\boxed{${result}}$.`,
    level: "Level 1",
    type: "Algebra",
  });
  const rows = [row("What is half of 1?", "\\frac{1}{2}"), row("Solve x - 3 = 4.", "x=7")];

  it("reads a folder, the Hub's columns, and a file of prompts made for a model", async () => {
    const folder = folderOf({ "test.jsonl": jsonLines(...rows), "train.jsonl": jsonLines(rows[1]!) });
    const [half] = await math.load(folder, DEFAULTS);
    expect(half).toMatchObject({ group: "Algebra", turns: ["Problem: What is half of 1?\nSolution:"] });
    expect(half!.context!.shots).toEqual(["Problem: Solve x - 3 = 4.\nSolution: Reckoning gives $\\boxed{x=7}$."]);
    const prompted = {
      prompt: "<s>Reason well.<｜User｜>What is half of 1?<｜Assistant｜>",
      reference_solution: "$\\boxed{\\frac12}$\n#### \\frac12",
    };
    const [same] = await math.load(folderOf({ "some.jsonl": jsonLines(prompted) }), DEFAULTS);
    expect(same!.turns).toEqual(half!.turns);
    expect(same!.context!.shots).toEqual([]);
  });

  it.each([
    ["It is \\boxed{\\frac12}.", 1],
    ["It is \\boxed{0.5}, that is \\boxed{1/2}", 1],
    ["It is 1/2", 0],
    ["\\boxed{2}", 0],
    ["\\boxed{\\tfrac{1}{2}", 0],
    ["", 0],
  ])("%j scores %d", async (text, score) => {
    const [half] = await math.load(folderOf({ "one.jsonl": jsonLines(rows[0]!) }), DEFAULTS);
    expect((await math.grade(half!, said(text), TOOLS)).scores).toEqual({ exactMatch: score });
  });

  it("refuses worked examples there are none of, and a solution without a result", async () => {
    const folder = folderOf({ "test.jsonl": jsonLines(rows[0]!) });
    await expect(math.load(folder, { ...DEFAULTS, shots: 2 })).rejects.toThrow("no train.jsonl");
    const broken = folderOf({ "test.jsonl": jsonLines({ problem: "1?", solution: "It is 1." }) });
    await expect(math.load(broken, DEFAULTS)).rejects.toThrow("has no \\boxed{} answer");
  });
});

describe("DROP", () => {
  const passage = "Ada scored 3 goals and Mia 12. The final was in Kiel.";
  const spoken = (question: string, ref_text: string) => ({
    context: `Passage: ${passage}\nQuestion: ${question}\nAnswer:`,
    completion: ` ${ref_text}`,
    ref_text,
  });
  const folder = folderOf({
    "drop_v0_dev.jsonl": jsonLines(
      spoken("How many goals were there?", "15|fifteen"),
      spoken("Where was the final?", "Kiel"),
      spoken("Who scored most?", "Mia"),
    ),
  });

  it("takes worked examples from the end of a file that stands alone, and does not ask these", async () => {
    const questions = await drop.load(folder, { ...DEFAULTS, shots: 1 });
    expect(questions.map(({ answers }) => answers)).toEqual([[["15"], ["fifteen"]], [["Kiel"]]]);
    expect(questions[0]!.context!.shots[0]).toMatch(/Who scored most\?\nAnswer: Mia$/);
    await expect(drop.load(folder, DEFAULTS)).rejects.toThrow(
      "3 questions are too few for 3 worked examples among them",
    );
  });

  it("reads the Hub's columns, where every annotator's answer is right", async () => {
    const noDate = { day: "", month: "", year: "" };
    const row = {
      query_id: "q1",
      passage,
      question: "Who played?",
      answer: { number: "", date: noDate, spans: ["Ada", "Mia"], worker_id: "w" },
      validated_answers: {
        number: ["", "2", "", ""],
        date: [noDate, noDate, { day: "3", month: "May", year: "" }, noDate],
        spans: [["Mia", "Ada"], [], [], ["Ada", "Mia"]],
      },
    };
    const asList = { ...row, validated_answers: [{ number: "2", date: noDate, spans: [] }] };
    const numbers = { ...row, answer: { number: 7, date: noDate, spans: ["seven"] }, validated_answers: null };
    const hub = hubOf({
      "hf:EleutherAI/drop?split=validation": [row, asList, numbers],
      "hf:EleutherAI/drop?split=train": [row],
    });
    const questions = await drop.load(hub, DEFAULTS);
    expect(questions.map(({ answers }) => answers)).toEqual([
      // An equal answer counts once; spans in another order are another answer.
      [["Ada", "Mia"], ["Mia", "Ada"], ["2"], ["3 May"]],
      [["Ada", "Mia"], ["2"]],
      [["7"]],
    ]);
    expect(questions[0]!.context!.shots[0]).toMatch(/Who played\?\nAnswer: Ada, Mia$/);
    const broken = (fields: object) =>
      drop.load(folderOf({ "a.jsonl": jsonLines({ ...row, ...fields }) }), { ...DEFAULTS, shots: 0 });
    await expect(broken({ answer: { number: "" } })).rejects.toThrow('line 1: "answer" has no number, spans or date');
    await expect(broken({ validated_answers: [1] })).rejects.toThrow('"validated_answers" 1 has no number');
  });

  it("reads the columns of ucinlp/drop, which joins the annotators", async () => {
    const row = {
      query_id: "q1",
      passage,
      question: "Who played?",
      answers_spans: { spans: ["Ada", "Mia"], types: ["span", "span"] },
    };
    const [question] = await drop.load(folderOf({ "drop.jsonl": jsonLines(row) }), { ...DEFAULTS, shots: 0 });
    expect(question).toMatchObject({ id: "q1", answers: [["Ada", "Mia"], ["Ada"], ["Mia"]] });
  });

  it.each([
    [" 15", 1, 1],
    ["fifteen goals", 0.67, 0],
    ["There were 15.", 0.5, 0],
    ["", 0, 0],
  ])("%j has F1 %d and exact match %d", async (text, f1, exactMatch) => {
    const [goals] = await drop.load(folder, { ...DEFAULTS, shots: 0 });
    expect((await drop.grade(goals!, said(text), TOOLS)).scores).toEqual({ f1, exactMatch });
  });
});
