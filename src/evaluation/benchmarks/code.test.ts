import { beforeAll, describe, expect, it } from "vitest";
import { DEFAULTS, folderOf, hubOf, jsonLines, said } from "../../../test/support/benchmark-data.ts";
import { openCodeRunner } from "../../node/code/python-runner.ts";
import type { GradingTools, Verdict } from "../benchmark.ts";
import { beforeProse, fencedCode, unfencedCode } from "../grading/generated-program.ts";
import { conalaScore, concodeScore } from "../metrics/snippet-bleu.ts";
import { snippetOf } from "../grading/snippet-grade.ts";
import { conala } from "./conala.ts";
import { concode } from "./concode.ts";
import { humaneval } from "./humaneval.ts";
import { mbpp } from "./mbpp.ts";

let tools: GradingTools;
beforeAll(async () => {
  tools = { fidelity: "paper", codeRunner: await openCodeRunner() };
});

/** The same with less patience. */
const hasty = (): GradingTools => {
  const runner = tools.codeRunner!;
  return { ...tools, codeRunner: { ...runner, run: (program) => runner.run(program, { timeoutSeconds: 1 }) } };
};

const samples = (...texts: string[]) => ({
  turns: [texts[0]!],
  samples: texts,
  finish: texts.map(() => "stop" as const),
});

describe("fenced code", () => {
  it.each([
    ["no fence", undefined],
    ["Here:\n```python\nx = 1\n```\nDone.", "x = 1\n"],
    ["```\nx = 1", "x = 1"],
    ["```py\na = 1\n```\n```py\nb = 2\n```", "a = 1\n"],
  ])("of %j is %j", (text, code) => expect(fencedCode(text)).toBe(code));

  it("is the block that is wanted", () => {
    expect(fencedCode("```\na = 1\n```\n```\nb = 2\n```", (code) => code.startsWith("b"))).toBe("b = 2\n");
  });
});

describe("code without a fence", () => {
  it.each([
    ["Here it is:\nLIMIT = 3\ndef f(x):\n  return LIMIT", "LIMIT = 3\ndef f(x):\n  return LIMIT"],
    ["LOW, HIGH = 1, 9\nimport math\nx = 1", "LOW, HIGH = 1, 9\nimport math\nx = 1"],
    ["import the module first:\nimport math", "import math"],
    ["from a list you take\nfrom math import pi", "from math import pi"],
    ["class of its own\nclass Own:\n  pass", "class Own:\n  pass"],
    ["no code at all", "no code at all"],
  ])("of %j begins %j", (text, code) => expect(unfencedCode(text)).toBe(code));

  const code = "def f(x):\n  return x\n";
  it.each([
    "This gives x back.",
    "Well, this gives x back.",
    "Explanation:\nx comes back.",
    "1. The function gives x back.",
    "- the function gives x back",
    "**Note** x comes back.",
    "```",
    "这个函数返回 x。",
    "That is all.",
    "It's x that comes back",
    "Note: x comes back.",
    "`f` gives x back.",
    "A list in a list is left alone.",
  ])("ends before %j", (prose) => expect(beforeProse(`${code}\n${prose}\n`)).toBe(`${code}\n`));

  it.each([
    "if f(1) is not None:\n  pass\nelse:\n  pass",
    "for i in range(3): f(i)",
    "print(f(1))",
    "y = f(1) if f else None",
    "y not in [1]",
    "match y:\n  case _: pass",
    "async def g(): pass",
    "@cache\ndef g(): pass",
    "# The rest is tests",
    "f (1)",
    "y: int = 3",
    "a, b = 1, 2",
    "low, high = 1, 2",
    "Low, High = 1, 2",
    "LOW, HIGH = 1, 2",
    "Limit: int = 3",
    "not_here or f(1)",
    "x if y else f(1)",
    "print (f(1))",
    "-f(1)",
    '"""\nWords in a string\n"""',
    "try:\n  f()\nfinally:\n  pass",
  ])("goes on with %j", (more) => expect(beforeProse(`${code}\n${more}\n`)).toBe(`${code}\n${more}\n`));
});

describe("HumanEval", () => {
  const row = {
    task_id: "HumanEval/900",
    prompt:
      'from typing import List\n\n\ndef widest(rows: List[str]) -> int:\n    """ Length of the longest row; 0 for none.\n    """\n',
    entry_point: "widest",
    canonical_solution: "    return max((len(row) for row in rows), default=0)\n",
    test: "def check(candidate):\n    assert candidate([]) == 0\n    assert candidate(['a', 'abc']) == 3\n",
  };
  const folder = folderOf({ "HumanEval.jsonl": jsonLines(row) });
  const BODY = row.canonical_solution;
  const WHOLE = `def widest(rows: List[str]) -> int:\n${BODY}`;

  it("asks with signature and docstring", async () => {
    const [question] = await humaneval.load(folder, DEFAULTS);
    expect(question).toMatchObject({ id: "HumanEval/900", turns: [row.prompt] });
    expect(await humaneval.load(hubOf({ "hf:openai/openai_humaneval?split=test": [row] }), DEFAULTS)).toHaveLength(1);
  });

  it.each([
    ["the rest of the function", BODY, 1],
    ["the rest, and more after it", `${BODY}\n\nprint(widest(['x']))\nraise SystemExit`, 1],
    ["the whole of it in a block", `Sure:\n\`\`\`python\n${WHOLE}\`\`\`\nIt takes the longest.`, 1],
    ["its body in a block", `\`\`\`python\n${BODY}\`\`\``, 1],
    ["a block behind another", `\`\`\`\npip install x\n\`\`\`\n\`\`\`python\n${WHOLE}\`\`\``, 1],
    ["the whole of it in prose", `The function is:\n${WHOLE}\nIt takes the longest.`, 1],
    ["the rest, and prose", `${BODY}\nIt takes the longest.`, 1],
    ["the rest, and the end of a block", `${BODY}\`\`\`\n\nIt takes the longest.`, 1],
    ["the rest, and another block", `${BODY}\n\`\`\`python\nprint(widest([]))\n\`\`\``, 1],
    ["the rest, a space of it lost by the tokenizer", BODY.slice(1), 1],
    ["the rest, two spaces lost", BODY.slice(2), 0],
    ["a wrong one after the right one", `${BODY}\ndef widest(rows):\n    return 3\n`, 1],
    ["a wrong one", "    return 3\n", 0],
    ["one that is no Python", "    return max(len(row) for row in rows\n", 0],
    ["one that leaves early", "    import os\n    os._exit(0)\n", 0],
    ["prose", "It returns the length of the longest row.", 0],
    ["nothing", "", 0],
  ])("%s scores %d", async (_, text, score) => {
    const [question] = await humaneval.load(folder, DEFAULTS);
    const verdict = await humaneval.grade(question!, said(text), tools);
    expect(verdict.scores).toEqual({ "pass@1": score });
    expect(verdict.note === undefined).toBe(score === 1);
  });

  it("keeps the prompt's other functions beside an answer that leaves them out", async () => {
    const helped = {
      ...row,
      prompt: `def longer(a, b):\n    return a if len(a) > len(b) else b\n\n\n${row.prompt.slice(row.prompt.indexOf("def"))}`,
      test: `${row.test}    assert longer('a', 'bc') == 'bc'\n`,
    };
    const [question] = await humaneval.load(folderOf({ "HumanEval.jsonl": jsonLines(helped) }), DEFAULTS);
    const whole = `\`\`\`python\nfrom typing import List\n\n${WHOLE}\`\`\``;
    expect((await humaneval.grade(question!, said(whole), tools)).scores).toEqual({ "pass@1": 1 });
  });

  it("stops a program that does not end, and goes on to the next sample", async () => {
    const [question] = await humaneval.load(folder, DEFAULTS);
    const verdict = await humaneval.grade(question!, samples("    while True:\n        pass\n", BODY), hasty());
    expect(verdict.scores).toEqual({ "pass@1": 0.5 });
    expect(verdict.note).toMatch(/^timed-out/);
  });

  it("estimates pass@k without bias from several samples", async () => {
    const [question] = await humaneval.load(folder, DEFAULTS);
    const verdict = await humaneval.grade(question!, samples(BODY, "    return 3\n", "    pass\n", BODY), tools);
    expect(verdict.scores).toEqual({ "pass@1": 0.5 });
    const ten = samples(...Array.from({ length: 12 }, (_, i) => (i === 0 ? BODY : "    return 3\n")));
    const { scores } = await humaneval.grade(question!, ten, tools);
    expect(scores["pass@1"]).toBeCloseTo(1 / 12, 12);
    // One of twelve: the ten drawn leave it out with probability 2/12.
    expect(scores["pass@10"]).toBeCloseTo(10 / 12, 12);
  });

  it("refuses what is not its data", async () => {
    await expect(humaneval.load(folderOf({ "a.jsonl": "", "b.jsonl": "" }), DEFAULTS)).rejects.toThrow(
      "no HumanEval.jsonl",
    );
    const renamed = folderOf({ "HumanEval.jsonl": jsonLines({ ...row, entry_point: undefined }) });
    await expect(humaneval.load(renamed, DEFAULTS)).rejects.toThrow('no column "entry_point"');
    const odd = folderOf({ "HumanEval.jsonl": jsonLines({ ...row, entry_point: "a b" }) });
    await expect(humaneval.load(odd, DEFAULTS)).rejects.toThrow("expected a function's name");
  });
});

describe("MBPP", () => {
  const task = (task_id: number, extra: object = {}) => ({
    task_id,
    text: `Write a function to add ${task_id} to a number.`,
    code: `def add(n):\r\n  return n + ${task_id}`,
    test_list: [`assert add(1) == ${task_id + 1}`, `assert add(0) == ${task_id}`],
    test_setup_code: "",
    challenge_test_list: [],
    ...extra,
  });
  const tasks = [1, 2, 3, 4, 10, 11, 510, 511].map((id) => task(id));
  const folder = folderOf({ "mbpp.jsonl": jsonLines(...tasks) });

  it("asks the authors' test tasks with their three examples", async () => {
    const questions = await mbpp.load(folder, DEFAULTS);
    expect(questions.map(({ id }) => id)).toEqual(["11", "510"]);
    expect(questions[0]!.context!.shots).toHaveLength(3);
    expect(questions[0]!.context!.shots[0]).toBe(
      "You are an expert Python programmer, and here is your task: Write a function to add 2 to a number. Your code should pass these tests:\n\nassert add(1) == 3\nassert add(0) == 2\n[BEGIN]\ndef add(n):\n  return n + 2\n[DONE]",
    );
    const hub = hubOf({
      "hf:google-research-datasets/mbpp?config=full&split=prompt": tasks.slice(0, 5),
      "hf:google-research-datasets/mbpp?config=full&split=test": tasks.slice(5, 7),
    });
    expect(await mbpp.load(hub, DEFAULTS)).toEqual(questions);
  });

  it.each([
    ["def add(n):\n  return n + 11\n", 1],
    ["[BEGIN]\ndef add(n):\n  return n + 11\n", 1],
    ["```python\nimport math\ndef add(n):\n  return n + 11\n```", 1],
    ["Here it is.\ndef add(n):\n  return n + 11", 1],
    ["ELEVEN = 11\ndef add(n):\n  return n + ELEVEN\n", 1],
    ["Here it is.\nELEVEN = 11\ndef add(n):\n  return n + ELEVEN\n\nIt adds eleven to n.", 1],
    ["```\npip install numbers\n```\n```python\ndef add(n):\n  return n + 11\n```", 1],
    ["def add(n)\n  return n + 11\n", 0],
    ["while True:\n  pass\n", 0],
    ["def add(n):\n  return n + 12\n", 0],
    ["def plus(n):\n  return n + 11\n", 0],
    ["import sys\nsys.exit(0)", 0],
    ["加法", 0],
  ])("%j scores %d", async (text, score) => {
    const [question] = await mbpp.load(folder, DEFAULTS);
    expect((await mbpp.grade(question!, said(text), hasty())).scores).toEqual({ "pass@1": score });
  });

  it("sets up what tests need, and refuses other data", async () => {
    const withSetup = task(11, { test_setup_code: "base = 11", test_list: ["assert add(1) == base + 1"] });
    const [question] = await mbpp.load(folderOf({ "mbpp.jsonl": jsonLines(withSetup) }), { ...DEFAULTS, shots: 0 });
    expect((await mbpp.grade(question!, said("def add(n): return n + 11"), tools)).scores).toEqual({ "pass@1": 1 });
    await expect(mbpp.load(folderOf({ "mbpp.jsonl": jsonLines(withSetup) }), DEFAULTS)).rejects.toThrow(
      "mbpp has 0 worked examples here, expected 3",
    );
    const renamed = folderOf({ "mbpp.jsonl": jsonLines({ prompt: "Add", task_id: 11 }) });
    await expect(mbpp.load(renamed, DEFAULTS)).rejects.toThrow('no column "text"');
  });
});

describe("CoNaLa and ConCode", () => {
  const intents = [
    { question_id: 1, intent: "sort", rewritten_intent: "sort list `x` in place", snippet: "x.sort()" },
    { question_id: 2, intent: "last item of a list `x`", rewritten_intent: null, snippet: "x[-1]" },
  ];
  const folder = folderOf({
    "conala-test.json": JSON.stringify(intents),
    "conala-train.json": JSON.stringify([...intents].reverse()),
  });

  it("ask in one line, by the rewritten intent where there is one", async () => {
    const questions = await conala.load(folder, DEFAULTS);
    expect(questions.map(({ turns }) => turns)).toEqual([
      ["Instruction: sort list `x` in place\nSolution:"],
      ["Instruction: last item of a list `x`\nSolution:"],
    ]);
    expect(questions[0]!.context!.shots[0]).toBe("Instruction: last item of a list `x`\nSolution: x[-1]");
  });

  it.each([
    ["x.sort()", "x.sort()"],
    ["\n `x.sort()`\nThis sorts.", "x.sort()"],
    ["Use:\n```python\nx.sort()\n```", "x.sort()"],
    ["", ""],
  ])("read out of %j: %j", (text, snippet) => expect(snippetOf(text)).toBe(snippet));

  it("have the BLEU of all snippets together that the metric's own function gives", async () => {
    const says = ["x.sort(reverse=True)", "x[-1]"];
    const references = intents.map(({ snippet }) => snippet);
    const questions = await conala.load(folder, DEFAULTS);
    const verdicts = questions.map((question, i) => conala.grade(question, said(says[i]!), tools) as Verdict);
    const [bleu] = conala.metrics;
    expect(bleu!.ofAll!(verdicts)).toBeCloseTo(conalaScore(says, references).bleu, 10);
    expect(verdicts.map(({ scores }) => scores["exactMatch"])).toEqual([0, 1]);
    const perfect = questions.map((question) => conala.grade(question, said(question.snippet), tools) as Verdict);
    expect(bleu!.ofAll!(perfect)).toBeCloseTo(100, 10);

    const members = [
      { nl: "number of rows concode_field_sep int rows", code: "int function ( ) { return rows ; }" },
      { nl: "clears it", code: "void function ( ) { rows = 0 ; }" },
    ];
    const java = folderOf({ "dev.json": jsonLines(...members), "train.json": jsonLines(...members) });
    const asked = await concode.load(java, DEFAULTS);
    expect(asked[0]!.turns).toEqual(["Instruction: number of rows ; int rows\nSolution:"]);
    const said2 = ["int function ( ) { return 1 ; }", "void function ( ) { rows = 0 ; }"];
    const graded = asked.map((question, i) => concode.grade(question, said(said2[i]!), tools) as Verdict);
    expect(concode.metrics[0]!.ofAll!(graded)).toBeCloseTo(
      concodeScore(
        said2,
        members.map(({ code }) => code),
      ).bleu,
      10,
    );
    await expect(concode.load(folderOf({ "dev.json": "[1]\n" }), { ...DEFAULTS, shots: 0 })).rejects.toThrow(
      "dev.json record 1: a number, expected an object",
    );
    await expect(concode.load(folderOf({ "dev.json": jsonLines(...members) }), DEFAULTS)).rejects.toThrow(
      "no train.json",
    );
  });
});
