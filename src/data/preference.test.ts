import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { assets } from "../../test/support/assets.ts";
import { countProblems, parseRows, type Content, type FieldMap, type LearnFrom } from "./record.ts";
import type { Row } from "./row.ts";
import { loadRecords } from "./source.ts";

function parseOne(fields: Row, learnFrom: LearnFrom, map?: FieldMap): Content | string {
  const { records, problems } = parseRows(
    [{ source: { file: "a.jsonl", line: 1, record: 1 }, fields }],
    map,
    learnFrom,
  );
  return records[0]?.content ?? problems[0]!.problem;
}

const user = (content: string) => ({ role: "user", content }) as const;
const assistant = (content: string) => ({ role: "assistant", content }) as const;
const pair = (prompt: unknown, more: object = {}): unknown => ({
  kind: "preference",
  prompt,
  chosen: "Yes.",
  rejected: "No.",
  ...more,
});

describe("pairs", () => {
  it.each<[string, Row, unknown]>([
    [
      "hh-rlhf: the last turn whole, also where the answers begin alike",
      {
        chosen: "\n\nHuman: Why?\n\nAssistant: Because it is tasty.",
        rejected: "\n\nHuman: Why?\n\nAssistant: Because I said so.",
      },
      {
        kind: "preference",
        prompt: [user("Why?")],
        chosen: "Because it is tasty.",
        rejected: "Because I said so.",
      },
    ],
    [
      "hh-rlhf: more turns, a speaker's repeated turns as one",
      {
        chosen: "\n\nHuman: a\n\nAssistant: b\n\nAssistant: c\n\nHuman: d\n\nAssistant: Yes.",
        rejected: "\n\nHuman: a\n\nAssistant: b\n\nAssistant: c\n\nHuman: d\n\nAssistant: No.",
      },
      pair([user("a"), assistant("b\n\nc"), user("d")]),
    ],
    [
      "ultrafeedback_binarized: the messages column, the chosen one again, is no prompt",
      {
        prompt: "q",
        prompt_id: "1f",
        chosen: [user("q"), assistant("Yes.")],
        rejected: [user("q"), assistant("No.")],
        messages: [user("q"), assistant("Yes.")],
        score_chosen: 8,
      },
      pair([user("q")]),
    ],
    [
      "message lists of more turns",
      {
        chosen: [{ role: "system", content: "s" }, user("a"), assistant("b"), user("c"), assistant("Yes.")],
        rejected: [{ role: "system", content: "s" }, user("a"), assistant("b"), user("c"), assistant("No.")],
      },
      pair([{ role: "system", content: "s" }, user("a"), assistant("b"), user("c")]),
    ],
    [
      "the prompt a message list, the answers lists of one",
      { prompt: [user("a"), assistant("b"), user("c")], chosen: [assistant("Yes.")], rejected: [assistant("No.")] },
      pair([user("a"), assistant("b"), user("c")]),
    ],
    [
      "LLaMA-Factory: ShareGPT's conversations, the answers one message each",
      {
        conversations: [
          { from: "system", value: "s" },
          { from: "human", value: "a" },
        ],
        chosen: { from: "gpt", value: "Yes." },
        rejected: { from: "gpt", value: "No." },
      },
      pair([{ role: "system", content: "s" }, user("a")]),
    ],
    [
      "all of it as JSON text",
      {
        prompt: JSON.stringify([user("a")]),
        chosen: JSON.stringify([assistant("Yes.")]),
        rejected: JSON.stringify(assistant("No.")),
      },
      pair([user("a")]),
    ],
    [
      "an answer that is JSON but no message",
      { prompt: "a", chosen: '{"a": 1}', rejected: "[1]" },
      { kind: "preference", prompt: [user("a")], chosen: '{"a": 1}', rejected: "[1]" },
    ],
    [
      "hh-rlhf with the prompt apart",
      { prompt: "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant:", chosen: " Yes.", rejected: " No." },
      {
        kind: "preference",
        prompt: [user("a"), assistant("b"), user("c")],
        chosen: " Yes.",
        rejected: " No.",
      },
    ],
    ["three columns of text", { prompt: "a", chosen: "Yes.", rejected: "No." }, pair([user("a")])],
    [
      "instruction, input and a third answer",
      { instruction: "a", input: "b", output: "Maybe.", chosen: "Yes.", rejected: "No." },
      pair([user("a")], { input: "b" }),
    ],
    ["question, no input", { question: "a", input: "", chosen: "Yes.", rejected: "No." }, pair([user("a")])],
  ])("%s", (_, row, content) => {
    expect(parseOne(row, "preferences")).toEqual(content);
  });

  it("own column names", () => {
    const row = { q: "a", prompt: "x", better: "Yes.", worse: { text: "No." } };
    expect(parseOne(row, "preferences", { prompt: "q", chosen: "better", rejected: "worse.text" })).toEqual(
      pair([user("a")]),
    );
    expect(() => parseOne(row, "preferences", { chosen: "beter" })).toThrow(
      'a.jsonl has no column "beter" (fields.chosen)',
    );
  });

  const hh = (chosen: string, rejected: string): Row => ({ chosen, rejected });
  it.each<[Row, string]>([
    [{ prompt: "a", chosen: "b", rejected: "b" }, "chosen and rejected are the same"],
    [{ prompt: "a", chosen: "b", rejected: " \n" }, "the answer in rejected is empty"],
    [
      { prompt: "a", chosen: "b", rejected: null },
      'no rejected: expected an answer under "rejected" or "rejected_response"',
    ],
    [{ prompt: "a", chosen: "b", rejected: 3 }, "the answer in rejected is a number, expected text or messages"],
    [{ chosen: "b", rejected: "c" }, "no prompt, instruction or messages to answer (columns: chosen, rejected)"],
    [
      hh("\n\nAssistant: Hello\n\nHuman: a\n\nAssistant: b", "\n\nAssistant: Hello\n\nHuman: a\n\nAssistant: c"),
      String.raw`a dialogue does not begin with the Human's turn ("\n\nHuman: "), and there is no prompt`,
    ],
    [
      hh("\n\nHuman: a\n\nAssistant: b", "\n\nHuman: x\n\nAssistant: c"),
      "chosen and rejected have different prompts: their turns before the last are not the same",
    ],
    [
      hh("\n\nHuman: a\n\nAssistant: b\n\nHuman: c", "\n\nHuman: a\n\nAssistant: b"),
      "the last turn of chosen is the user's, expected the assistant's",
    ],
    [hh("\n\nHuman: a\n\nAssistant: b", "\n\nHuman: a\n\nAssistant: "), "the answer in rejected is empty"],
    [
      hh("\n\nHuman: a\n\nAssistant: b\n\nAssistant: c", "\n\nHuman: a\n\nAssistant: b\n\nAssistant: d"),
      "the prompt ends with the assistant's turn, expected the user's",
    ],
    [hh("\n\nHuman: \n\nAssistant: b", "\n\nHuman: \n\nAssistant: c"), "the user's turn before the answer is empty"],
    [
      { prompt: [], chosen: [assistant("b")], rejected: [assistant("c")] },
      "prompt is an empty list, expected messages",
    ],
    [
      { chosen: [user("a"), { role: "asistant", content: "b" }], rejected: [user("a"), assistant("c")] },
      'in chosen, message 2 has the role "asistant": did you mean "assistant"',
    ],
    [{ prompt: 3, chosen: "b", rejected: "c" }, 'the prompt is a number: expected text under "prompt"'],
    [
      {
        instruction: "a",
        input: "i",
        chosen: [assistant("b"), user("c"), assistant("d")],
        rejected: [assistant("b"), user("c"), assistant("e")],
      },
      "chosen has several questions, but an input is only possible with one question and its answer",
    ],
    [{ instruction: "a", input: 3, chosen: "b", rejected: "c" }, "the input is a number, expected a string"],
  ])("refuses %j", (row, problem) => {
    expect(parseOne(row, "preferences")).toBe(problem);
  });
});

describe("rated answers", () => {
  const rated = (desirable: boolean, more: object = {}): unknown => ({
    kind: "rated",
    prompt: [user("a")],
    completion: "b",
    desirable,
    ...more,
  });

  it.each<[string, Row, unknown]>([
    ["LLaMA-Factory", { messages: [user("a"), assistant("b")], label: true }, rated(true)],
    ["prompt and completion", { prompt: "a", completion: "b", label: false }, rated(false)],
    ["message lists", { prompt: [user("a")], completion: [assistant("b")], label: 1 }, rated(true)],
    ["instruction", { instruction: "a", input: "c", output: "b", kto_tag: 0 }, rated(false, { input: "c" })],
    ["a table's text", { prompt: "a", completion: "b", label: "False" }, rated(false)],
    ["a table's number", { prompt: "a", completion: "b", label: " 1" }, rated(true)],
    ["a pair stays a pair", { prompt: "a", chosen: "Yes.", rejected: "No." }, pair([user("a")])],
  ])("%s", (_, row, content) => {
    expect(parseOne(row, "ratings")).toEqual(content);
  });

  it("a label asked for by name comes before a pair", () => {
    const row = { prompt: "a", answer: "b", chosen: "Yes.", rejected: "No.", good: true };
    expect(parseOne(row, "ratings", { label: "good", response: "answer" })).toEqual(rated(true));
  });

  it.each<[Row, string]>([
    [
      { prompt: "a", completion: "b", label: "positive" },
      'the label is "positive", expected true or false (or 1 or 0)',
    ],
    [{ prompt: "a", completion: "b", label: 2 }, "the label is 2, expected true or false (or 1 or 0)"],
    [{ prompt: "a", completion: "b", label: [1] }, "the label is an array, expected true or false (or 1 or 0)"],
    [
      { prompt: "a", label: true },
      'no completion: expected an answer under "completion" or "response" or "output" or "answer"',
    ],
    [{ completion: "b", label: true }, "no prompt, instruction or messages to answer (columns: completion, label)"],
    [{ messages: [user("a")], label: true }, "the last turn of messages is the user's, expected the assistant's"],
    [{ messages: [user("a"), assistant(" ")], label: true }, "the answer in messages is empty"],
    [{ messages: [assistant("a")], label: true }, "no prompt: the answer is the first turn"],
    [{ messages: "a", label: true }, "the messages are a string, expected an array of {role, content}"],
  ])("refuses %j", (row, problem) => {
    expect(parseOne(row, "ratings")).toBe(problem);
  });
});

describe("a row for another kind of job is told where it belongs", () => {
  const problemOf = (fields: Row, learnFrom: LearnFrom) =>
    parseRows([{ source: { file: "a.jsonl", line: 1, record: 1 }, fields }], {}, learnFrom).problems[0];

  it.each<[LearnFrom, Row, string, RegExp]>([
    [
      "answers",
      { prompt: "a", chosen: "b", rejected: "c" },
      "two answers (chosen and rejected), expected one answer to learn: this is preference data",
      /^Use objective\.name dpo or another preference objective/,
    ],
    [
      "preferences",
      { instruction: "a", output: "b" },
      "no chosen and rejected (columns: instruction, output)",
      /use objective\.name sft/,
    ],
    [
      "preferences",
      { messages: [user("a"), assistant("b")], label: true },
      "a label but no chosen and rejected (columns: messages, label)",
      /for KTO/,
    ],
    [
      "ratings",
      { instruction: "a", output: "b" },
      "no label, and no chosen and rejected (columns: instruction, output)",
      /^KTO takes answers with a label/,
    ],
  ])("%s: %j", (learnFrom, row, problem, hint) => {
    expect(problemOf(row, learnFrom)).toMatchObject({ problem, hint: expect.stringMatching(hint) as string });
  });

  it("an answer that is labelled false is not learnt, one that is labelled 0 may be of a category", () => {
    const unwanted = { prompt: "May I come in?", completion: "Go away.", label: false };
    expect(problemOf(unwanted, "answers")!.problem).toMatch(/the label is false, so the answer is not wanted.*kto/);
    expect(problemOf({ ...unwanted, label: true }, "answers")).toBeUndefined();
    expect(problemOf({ ...unwanted, label: 0 }, "answers")).toBeUndefined();
  });

  it("the better side of hh-rlhf can be learnt alone, as a conversation", () => {
    const row = { chosen: "\n\nHuman: Hi\n\nAssistant: Hello!", rejected: "\n\nHuman: Hi\n\nAssistant: No." };
    const { records, problems } = parseRows(
      [{ source: { file: "a.jsonl", line: 1, record: 1 }, fields: row }],
      { messages: "chosen" },
      "answers",
    );
    expect(problems).toEqual([]);
    expect(records[0]!.content).toEqual({ kind: "messages", messages: [user("Hi"), assistant("Hello!")] });
  });

  it("supervised tuning takes the answer of a row that has one beside its pair", () => {
    expect(parseOne({ instruction: "a", output: "b", chosen: "c", rejected: "d" }, "answers")).toMatchObject({
      kind: "instruction",
      response: "b",
    });
  });
});

describe("files", () => {
  const rows = [
    { prompt: "a", chosen: "b", rejected: "c" },
    { prompt: "a", chosen: "b", rejected: "b" },
    { prompt: "a", chosen: "d", rejected: "d" },
    { prompt: "a", chosen: "", rejected: "c" },
  ];
  const reader = { read: async () => new TextEncoder().encode(rows.map((row) => JSON.stringify(row)).join("\n")) };

  it("refuses with place and number, or skips and counts by reason", async () => {
    await expect(loadRecords(reader, "p.jsonl", { learnFrom: "preferences" })).rejects.toMatchObject({
      kind: "data",
      message: "p.jsonl line 2: chosen and rejected are the same (2 more records cannot be used either)",
    });
    const { records, skipped } = await loadRecords(reader, "p.jsonl", { learnFrom: "preferences", invalid: "skip" });
    expect(records.map(({ id }) => id)).toEqual(["p.jsonl#1"]);
    expect(countProblems(skipped)).toEqual([
      { problem: "chosen and rejected are the same", rows: 2 },
      { problem: "the answer in chosen is empty", rows: 1 },
    ]);
  });

  it("of a file of another kind the hint says what to do", async () => {
    await expect(loadRecords(reader, "p.jsonl")).rejects.toMatchObject({
      message: expect.stringContaining("this is preference data (3 more") as string,
      hint: expect.stringContaining("objective.name dpo") as string,
    });
  });
});

describe.skipIf(!existsSync(path.join(assets, "hh-rlhf")))(
  "public files (skipped where ../shared/assets and $OPENFEDLLM_ASSETS are absent)",
  () => {
    const reader = { read: async (file: string) => new Uint8Array(readFileSync(path.join(assets, file))) };
    const differ = "chosen and rejected have different prompts: their turns before the last are not the same";
    const same = "chosen and rejected are the same";
    const noChosen = "the answer in chosen is empty";
    const noRejected = "the answer in rejected is empty";
    const userLast = "the last turn of rejected is the user's, expected the assistant's";

    it.each<[string, number, Record<string, number>]>([
      ["harmless-base", 2303, { [differ]: 5, [noChosen]: 4 }],
      ["helpful-base", 2339, { [differ]: 9, [noRejected]: 4, [same]: 2 }],
      ["helpful-online", 1130, { [noRejected]: 3, [same]: 2, [userLast]: 2 }],
      ["helpful-rejection-sampled", 2714, { [same]: 32, [differ]: 3 }],
    ])("hh-rlhf %s", async (name, count, problems) => {
      const file = `hh-rlhf/${name}-test.jsonl.gz`;
      const { records, skipped } = await loadRecords(reader, file, { learnFrom: "preferences", invalid: "skip" });
      expect(records).toHaveLength(count);
      expect(Object.fromEntries(countProblems(skipped).map(({ problem, rows }) => [problem, rows]))).toEqual(problems);
      const lastTurn = (text: unknown): string => (text as string).split("\n\nAssistant: ").at(-1)!;
      for (const { content, fields } of records) {
        if (content.kind !== "preference") throw new Error("not a pair");
        expect(content.chosen).toBe(lastTurn(fields["chosen"]));
        expect(content.rejected).toBe(lastTurn(fields["rejected"]));
        expect(content.prompt.map(({ role }) => role)).toEqual(
          content.prompt.map((_, i) => (i % 2 === 0 ? "user" : "assistant")),
        );
      }
    });

    it("LLaMA-Factory's demonstrations and rasbt's", async () => {
      const load = (file: string, learnFrom: LearnFrom) => loadRecords(reader, file, { learnFrom, invalid: "skip" });
      expect(await load("llamafactory-demo/dpo_en_demo.json", "preferences")).toMatchObject({
        records: { length: 300 },
        skipped: [],
      });
      const kto = await load("llamafactory-demo/kto_en_demo.json", "ratings");
      expect(kto.skipped).toEqual([]);
      const liked = kto.records.map(({ content }) => content.kind === "rated" && content.desirable);
      expect([liked.length, liked.filter(Boolean).length]).toEqual([300, 150]);
      const rasbt = await load("rasbt-instruct/instruction-data-with-preference.json", "preferences");
      expect(rasbt.records).toHaveLength(1094);
      expect(countProblems(rasbt.skipped)).toEqual([{ problem: same, rows: 6 }]);
    });
  },
);

describe("what stands beside pairs and rated answers", () => {
  const system = { role: "system", content: "Speak like a pirate." } as const;
  const row = { system: system.content, question: "Who?", chosen: "Yes.", rejected: "No." };

  it("puts a system message and a history before the prompt", () => {
    expect(parseOne(row, "preferences")).toEqual(pair([system, user("Who?")]));
    expect(parseOne({ ...row, history: [["Hi", "Ho"]] }, "preferences")).toEqual(
      pair([system, user("Hi"), assistant("Ho"), user("Who?")]),
    );
    expect(parseOne({ ...row, input: "Here" }, "preferences")).toEqual(pair([system, user("Who?")], { input: "Here" }));
    expect(parseOne({ ...row, output: "Yes.", label: 1 }, "ratings", { label: "label" })).toEqual({
      kind: "rated",
      prompt: [system, user("Who?")],
      completion: "Yes.",
      desirable: true,
    });
  });

  it("hands tools and template variables on", () => {
    const tools = [{ type: "function", function: { name: "f" } }];
    const given = { ...row, tools: JSON.stringify(tools), chat_template_kwargs: { enable_thinking: false } };
    expect(parseOne(given, "preferences")).toEqual(
      pair([system, user("Who?")], { variables: { tools, enable_thinking: false } }),
    );
  });

  it("refuses answers that are more than text, and answers that are marked as not learnt", () => {
    const answer = (more: object) => [user("Who?"), { ...assistant("Yes."), ...more }];
    const rejected = [user("Who?"), assistant("No.")];
    expect(parseOne({ chosen: answer({ reasoning_content: "Hm." }), rejected }, "preferences")).toBe(
      "the answer in chosen has reasoning_content: only texts can be compared",
    );
    expect(parseOne({ chosen: answer({ weight: 0 }), rejected }, "preferences")).toBe(
      "the answer in chosen is marked as not to be learnt",
    );
    const named = [{ ...user("Who?"), name: "Ann" }, assistant("Yes.")];
    expect(parseOne({ chosen: named, rejected }, "preferences")).toMatch(/^chosen and rejected have different prompts/);
  });
});
