import { describe, expect, it } from "vitest";
import { DEFAULTS, folderOf, hubOf, jsonLines, said, TOOLS } from "../../../test/support/benchmark-data.ts";
import { crass } from "./crass.ts";
import { medmcqa } from "./medmcqa.ts";
import { medqa } from "./medqa.ts";
import { mmluMedical } from "./mmlu-medical.ts";
import { mmlu } from "./mmlu.ts";

const bare = { ...DEFAULTS, shots: 0 };

describe("MMLU", () => {
  const two = { ...DEFAULTS, shots: 2 };
  // The authors' tables, without a header; a quoted cell with a comma and a line break.
  const original = {
    "data/test/anatomy_test.csv":
      'Which bone is the longest?,femur,tibia,ulna,"the rib,\nthe first",A\nHow many ribs are there?,12,20,24,26,C\n',
    "data/dev/anatomy_dev.csv":
      "Where is the heart?,skull,chest,hip,foot,B\nWhat holds urine?,bladder,lung,ear,nose,A\n",
    "data/test/world_religions_test.csv": "Who wrote the Torah?,Moses,Paul,Laozi,Plato,A\n",
    "data/dev/world_religions_dev.csv":
      "Where is Mecca?,Egypt,Arabia,Persia,Turkey,B\nWho taught in Benares?,Moses,Buddha,Paul,Plato,B\n",
  };
  // Copies with a header, in another order, answers from 0.
  const headed = {
    "test/anatomy_test.csv":
      'answer,question,choice0,choice1,choice2,choice3\n0,Which bone is the longest?,femur,tibia,ulna,"the rib,\nthe first"\n2,How many ribs are there?,12,20,24,26\n',
    "dev/anatomy_dev.csv":
      "question,answer,choice3,choice2,choice1,choice0\nWhere is the heart?,1,foot,hip,chest,skull\nWhat holds urine?,0,nose,ear,lung,bladder\n",
    "test/world_religions_test.csv": "question,A,B,C,D,answer\nWho wrote the Torah?,Moses,Paul,Laozi,Plato,A\n",
    "dev/world_religions_dev.csv":
      "question,choice0,choice1,choice2,choice3,answer\nWhere is Mecca?,Egypt,Arabia,Persia,Turkey,1\nWho taught in Benares?,Moses,Buddha,Paul,Plato,1\n",
  };
  const row = (subject: string, question: string, choices: string[], answer: number) => ({
    question,
    subject,
    choices,
    answer,
  });
  const hub = {
    "hf:cais/mmlu?config=all&split=test": [
      row("anatomy", "Which bone is the longest?", ["femur", "tibia", "ulna", "the rib,\nthe first"], 0),
      row("anatomy", "How many ribs are there?", ["12", "20", "24", "26"], 2),
      row("world_religions", "Who wrote the Torah?", ["Moses", "Paul", "Laozi", "Plato"], 0),
    ],
    "hf:cais/mmlu?config=all&split=dev": [
      row("anatomy", "Where is the heart?", ["skull", "chest", "hip", "foot"], 1),
      row("world_religions", "Where is Mecca?", ["Egypt", "Arabia", "Persia", "Turkey"], 1),
      row("world_religions", "Who taught in Benares?", ["Moses", "Buddha", "Paul", "Plato"], 1),
      row("anatomy", "What holds urine?", ["bladder", "lung", "ear", "nose"], 0),
    ],
  };

  it("is the same from the authors' tables, tables with a header, and the Hub", async () => {
    const questions = await mmlu.load(folderOf(original), two);
    expect(questions.map(({ id, group, right }) => [id, group, right])).toEqual([
      ["anatomy/0", "anatomy", 0],
      ["anatomy/1", "anatomy", 2],
      ["world_religions/0", "world_religions", 0],
    ]);
    expect(questions[1]).toMatchObject({
      context: {
        preamble: "The following are multiple choice questions (with answers) about  anatomy.",
        shots: [
          "Where is the heart?\nA. skull\nB. chest\nC. hip\nD. foot\nAnswer: B",
          "What holds urine?\nA. bladder\nB. lung\nC. ear\nD. nose\nAnswer: A",
        ],
      },
      turns: ["How many ribs are there?\nA. 12\nB. 20\nC. 24\nD. 26\nAnswer:"],
      options: ["A", "B", "C", "D"],
    });
    expect(questions[2]!.context!.preamble).toContain("about  world religions.");
    expect(await mmlu.load(folderOf(headed), two)).toEqual(questions);
    expect(await mmlu.load(hubOf(hub), two)).toEqual(questions);
  });

  it("counts each question for its subject's category too", async () => {
    const questions = await mmlu.load(folderOf(original), two);
    expect((await mmlu.grade(questions[0]!, said("A"), TOOLS)).scores).toEqual({ accuracy: 1, other: 1 });
    expect((await mmlu.grade(questions[2]!, said("D"), TOOLS)).scores).toEqual({ accuracy: 0, humanities: 0 });
  });

  it("has a part for medicine, which MedAgents-Bench's table without worked examples fits too", async () => {
    const medical = await mmluMedical.load(folderOf(original), two);
    expect(medical.map(({ id }) => id)).toEqual(["anatomy/0", "anatomy/1"]);
    const options = { B: "tibia", A: "femur", C: "ulna", D: "rib" };
    const table = {
      "test.jsonl": jsonLines({
        realidx: 7,
        subject: "anatomy",
        question: "?",
        options,
        answer_idx: "B",
        answer: "tibia",
      }),
    };
    const [only] = await mmluMedical.load(folderOf(table), bare);
    expect(only).toMatchObject({ choices: ["femur", "tibia", "ulna", "rib"], right: 1, context: { shots: [] } });
    await expect(mmluMedical.load(folderOf(table), DEFAULTS)).rejects.toThrow("no dev.jsonl");
  });

  it.each([
    ["an unknown subject", { "test/anatomi_test.csv": "?,a,b,c,d,A\n" }, "MMLU has no subject anatomi"],
    ["a cell too few", { "test/anatomy_test.csv": "?,a,b,c,A\n" }, "anatomy_test.csv line 1: 5 cells, expected 6"],
    ["no such letter", { "test/anatomy_test.csv": "?,a,b,c,d,E\n" }, '"answer" holds "E", expected A to D or 0 to 3'],
    [
      "a missing column",
      { "test/anatomy_test.csv": "question,choice0,choice1,choice2,choice3\n?,a,b,c,d\n" },
      'no column "answer"',
    ],
    [
      "a missing option",
      { "test/anatomy_test.csv": "question,choice0,choice1,choice3,answer\n?,a,b,d,0\n" },
      "choice2 is missing",
    ],
    ["no options", { "test/anatomy_test.csv": "question,answer\n?,0\n" }, "no options, expected them"],
    ["an empty table", { "test/anatomy_test.csv": "" }, "anatomy_test.csv: no records"],
    ["another benchmark", { "test.jsonl": jsonLines({ question: "?", answer: "#### 3" }) }, 'no column "subject"'],
    ["an empty folder", {}, /no .*test\.jsonl/],
  ])("refuses %s in one sentence", async (_, files, message) => {
    await expect(mmlu.load(folderOf(files as Record<string, string>), bare)).rejects.toThrow(message);
  });

  it("says so where a subject has no worked examples", async () => {
    const { "data/dev/anatomy_dev.csv": _, ...without } = original;
    await expect(mmlu.load(folderOf(original), { ...DEFAULTS, shots: 3 })).rejects.toMatchObject({
      message: expect.stringContaining("2 worked examples for anatomy, wanted 3") as string,
      hint: "Add more to the split of the worked examples, or use fewer: --shots 2.",
    });
    await expect(mmlu.load(folderOf(without), DEFAULTS)).rejects.toThrow("no worked examples for anatomy, wanted 5");
  });
});

describe("MedQA", () => {
  const options = { A: "rest", B: "iron", C: "surgery", D: "salt" };
  const rows = [
    { question: "A pale woman is tired.", options, answer_idx: "B", answer: "iron", meta_info: "step1" },
    { question: "A man fell.", options: { ...options, E: "ice" }, answer_idx: "E", answer: "ice", meta_info: "step2" },
  ];

  it("asks as lm-evaluation-harness does, with four options or five", async () => {
    const questions = await medqa.load(folderOf({ "test.jsonl": jsonLines(...rows) }), DEFAULTS);
    expect(questions.map(({ right }) => right)).toEqual([1, 4]);
    expect(questions[0]).toMatchObject({
      turns: ["Question: A pale woman is tired.\nA. rest\nB. iron\nC. surgery\nD. salt\nAnswer:"],
      context: { shots: [] },
    });
    expect(questions[1]!.options).toEqual(["A", "B", "C", "D", "E"]);
    expect(await medqa.grade(questions[1]!, said("It needs ice."), TOOLS)).toMatchObject({
      parsed: "E",
      scores: { accuracy: 1 },
    });
  });

  it("takes the Hub's columns, the harness's, and worked examples of the train split", async () => {
    const hub = hubOf({
      "hf:GBaker/MedQA-USMLE-4-options?split=test": rows,
      "hf:GBaker/MedQA-USMLE-4-options?split=train": rows,
    });
    const [first] = await medqa.load(hub, { ...DEFAULTS, shots: 1 });
    expect(first!.context!.shots).toEqual([
      "Question: A pale woman is tired.\nA. rest\nB. iron\nC. surgery\nD. salt\nAnswer: B",
    ]);
    const harness = {
      sent1: "A man fell.",
      ending0: "rest",
      ending1: "ice",
      ending2: "salt",
      ending3: "tea",
      label: 1,
    };
    const [only] = await medqa.load(folderOf({ "one.json": JSON.stringify([harness]) }), DEFAULTS);
    expect(only).toMatchObject({ choices: ["rest", "ice", "salt", "tea"], right: 1 });
  });

  it("names the columns there are", async () => {
    const other = folderOf({ "test.jsonl": jsonLines({ text: "?", label: 2 }) });
    await expect(medqa.load(other, DEFAULTS)).rejects.toMatchObject({
      message: expect.stringContaining('line 1: no column "question"') as string,
      hint: "Its columns are text, label.",
    });
  });
});

describe("MedMCQA", () => {
  const row = (cop: number) => ({
    id: "x",
    question: "Which is a vitamin?",
    opa: "iron",
    opb: "zinc",
    opc: "C",
    opd: "salt",
    cop,
    subject_name: "Biochemistry",
  });
  const held = (...cops: number[]) => folderOf({ "dev.jsonl": jsonLines(...cops.map(row)) });

  it("counts cop from 0 as on the Hub, and from 1 as in the authors' files", async () => {
    const hub = hubOf({ "hf:openlifescienceai/medmcqa?split=validation": [row(2), row(0)] });
    const questions = await medmcqa.load(hub, DEFAULTS);
    expect(questions.map(({ right, group }) => [right, group])).toEqual([
      [2, "Biochemistry"],
      [0, "Biochemistry"],
    ]);
    expect(questions[0]!.turns).toEqual([
      "Question: Which is a vitamin?\nChoices:\nA. iron\nB. zinc\nC. C\nD. salt\nAnswer:",
    ]);
    expect((await medmcqa.load(held(3, 4, 1), DEFAULTS)).map(({ right }) => right)).toEqual([2, 3, 0]);
    expect((await medmcqa.load(held(3, 1), DEFAULTS)).map(({ right }) => right)).toEqual([3, 1]);
  });

  it("refuses what is neither, and answers that are not public", async () => {
    await expect(medmcqa.load(held(0, 4), DEFAULTS)).rejects.toThrow('"cop" is 0 here and 4 elsewhere');
    await expect(medmcqa.load(held(0, 7), DEFAULTS)).rejects.toThrow('"cop" is 7, expected 0 to 3');
    await expect(medmcqa.load(held(-1), DEFAULTS)).rejects.toMatchObject({
      hint: "The test split's answers are not public; use the validation split.",
    });
  });

  it("reads MedAgents-Bench's table", async () => {
    const table = jsonLines({
      realidx: "u",
      question: "?",
      options: { A: "a", B: "b", C: "c", D: "d" },
      answer_idx: "D",
      answer: "d",
    });
    const [only] = await medmcqa.load(folderOf({ "test.jsonl": table }), DEFAULTS);
    expect(only!.right).toBe(3);
  });
});

describe("CRASS", () => {
  const HEADER = "PCTID;BatchID;Premise;QCC;CorrectAnswer;Answer1;Answer2;PossibleAnswer3\n";
  const LINES = [
    '1;1;A girl drops a "cup".;What would have happened if she had held it?;It would be whole.;It would be broken.;It would be warm.;',
    "2;1;A boy eats soup.;What would have happened if he had eaten stone?;That is not possible.;He would be full.;He would be glad.;He would sing.",
  ];
  const file = (text: string) => folderOf({ "CRASS_FTM_main_data_set.csv": text });
  const both = file(`\uFEFF${HEADER}${LINES.join("\r\n")}\r\n`);

  it("shuffles options as instruct-eval does, seed 0 through the whole file", async () => {
    const questions = await crass.load(both, DEFAULTS);
    // random.seed(0); shuffle([0, 1, 2]) is [0, 2, 1], and then shuffle([0, 1, 2, 3]) is [3, 2, 1, 0].
    expect(questions.map(({ right }) => right)).toEqual([0, 3]);
    expect(questions[0]).toMatchObject({
      turns: [
        'A girl drops a "cup". What would have happened if she had held it?\nA. It would be whole.\nB. It would be warm.\nC. It would be broken.\nAnswer:',
      ],
      options: ["A", "B", "C"],
    });
    expect(questions[0]!.context!.shots).toHaveLength(3);
    expect(questions[0]!.context!.shots[2]).toMatch(/\nC\. That is not possible\.\nAnswer: C$/);
    expect(questions[1]!.choices[0]).toBe("He would sing.");
  });

  it("takes the columns in any order", async () => {
    const swapped = "QCC;CorrectAnswer;Premise;Answer2;Answer1\nWhat if so?;yes;It rains.;maybe;no\n";
    const [only] = await crass.load(folderOf({ "any.csv": swapped }), DEFAULTS);
    expect(only).toMatchObject({ choices: ["yes", "maybe", "no"], right: 0 });
    const rows = { Premise: "It rains.", QCC: "What if so?", CorrectAnswer: "yes", Answer1: "no", Answer2: "maybe" };
    expect((await crass.load(folderOf({ "test.jsonl": jsonLines(rows) }), DEFAULTS))[0]!.turns).toEqual(only!.turns);
  });

  it.each([
    ["A", 1, 1],
    ["A. It would be whole.", 1, 1],
    ["The answer is A.", 1, 0],
    ["It would be whole", 1, 0],
    ["A warm cup", 0, 1],
    ["B", 0, 0],
    ["", 0, 0],
  ])("%j is right %d, and %d as instruct-eval grades", async (text, accuracy, beginsRight) => {
    const [first] = await crass.load(both, DEFAULTS);
    expect((await crass.grade(first!, said(text), TOOLS)).scores).toEqual({ accuracy, beginsRight });
  });

  it("says where the data is, and what is missing in it", async () => {
    await expect(crass.load(hubOf({}), DEFAULTS)).rejects.toThrow("CRASS is not on the Hub");
    await expect(crass.load(both, { ...DEFAULTS, shots: 4 })).rejects.toThrow("3 worked examples, but 4 are wanted");
    await expect(crass.load(file("Premise;QCC\nIt rains.;What if?\n"), DEFAULTS)).rejects.toMatchObject({
      message: expect.stringContaining('no column "CorrectAnswer"') as string,
      hint: "Its columns are Premise, QCC.",
    });
    await expect(crass.load(file(`${HEADER}1;1;It rains.;What if?;;no;maybe\n`), DEFAULTS)).rejects.toThrow(
      "line 2: no answers",
    );
    await expect(crass.load(file(`${HEADER}1;2;3;4;5;6;7;8;9\n`), DEFAULTS)).rejects.toThrow("9 cells, expected 8");
  });
});
