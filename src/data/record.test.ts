import { describe, expect, it } from "vitest";
import { parseRows, type Content, type FieldMap } from "./record.ts";
import type { Row } from "./row.ts";

function parseOne(fields: Row, map?: FieldMap): Content | string {
  const { records, problems } = parseRows([{ source: { file: "a.jsonl", line: 1, record: 1 }, fields }], map);
  return records[0]?.content ?? problems[0]!.problem;
}

describe("a row's columns decide what it is", () => {
  it.each<[string, Row, Content]>([
    [
      "Alpaca",
      { instruction: "a", input: "b", output: "c" },
      { kind: "instruction", instruction: "a", input: "b", response: "c" },
    ],
    [
      "Alpaca, no input",
      { instruction: "a", input: "", output: "c" },
      { kind: "instruction", instruction: "a", response: "c" },
    ],
    [
      "Dolly",
      { instruction: "a", context: "b", response: "c" },
      { kind: "instruction", instruction: "a", input: "b", response: "c" },
    ],
    ["GSM8K", { question: "a", answer: "c" }, { kind: "instruction", instruction: "a", response: "c" }],
    ["MATH", { problem: "a", solution: "c", level: "5" }, { kind: "instruction", instruction: "a", response: "c" }],
    [
      "the first answer that is not empty",
      { instruction: "a", response: "", output: "c" },
      { kind: "instruction", instruction: "a", response: "c" },
    ],
    [
      "prompt and completion",
      { prompt: " a", completion: " c\n" },
      { kind: "completion", prompt: " a", completion: " c\n" },
    ],
    [
      "messages",
      {
        messages: [
          { role: "user", content: "a" },
          {
            role: "assistant",
            content: [
              { type: "text", text: "b" },
              { type: "text", text: "c" },
            ],
          },
        ],
      },
      {
        kind: "messages",
        messages: [
          { role: "user", content: "a" },
          { role: "assistant", content: "bc" },
        ],
      },
    ],
    [
      "ShareGPT",
      {
        conversations: [
          { from: "human", value: "a" },
          { from: "gpt", value: "b" },
          { from: "observation", value: "c" },
        ],
      },
      {
        kind: "messages",
        messages: [
          { role: "user", content: "a" },
          { role: "assistant", content: "b" },
          { role: "tool", content: "c" },
        ],
      },
    ],
    [
      "messages as JSON text",
      { messages: '[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]' },
      {
        kind: "messages",
        messages: [
          { role: "user", content: "a" },
          { role: "assistant", content: "b" },
        ],
      },
    ],
  ])("%s", (_, row, content) => {
    expect(parseOne(row)).toEqual(content);
  });

  it.each<[Row, string]>([
    [{ text: "a" }, "no instruction, prompt or messages (columns: text)"],
    [
      { instruction: 3, output: "c" },
      'the instruction is a number: expected text under "instruction" or "question" or "problem"',
    ],
    [{ instruction: "a", input: ["b"], output: "c" }, "the input is an array, expected a string"],
    [{ messages: [{ role: "user", content: "a" }] }, "no assistant message among 1, so there is nothing to learn"],
    [
      {
        messages: [
          { role: "user", content: "a" },
          { role: "assistant", content: " " },
        ],
      },
      "message 2 (assistant) is empty",
    ],
    [{ messages: [{ role: "asistant", content: "a" }] }, 'message 1 has the role "asistant": did you mean "assistant"'],
    [{ messages: [{ role: "user", content: null }] }, "message 1 has null as its content, expected a string"],
    [{ messages: "hello" }, "the messages are a string, expected an array of {role, content}"],
  ])("refuses %j", (row, problem) => {
    expect(parseOne(row)).toBe(problem);
  });
});

describe("own column names", () => {
  it("replace the aliases, reach into objects, and choose the kind", () => {
    const row = { question: "a", answer: "old", data: { best: "c" }, messages: [] };
    expect(parseOne(row, { instruction: "question", response: "data.best" })).toEqual({
      kind: "instruction",
      instruction: "a",
      response: "c",
    });
    expect(parseOne(row, { prompt: "question", completion: "answer" })).toEqual({
      kind: "completion",
      prompt: "a",
      completion: "old",
    });
  });

  it("a column no row has is an error that names the nearest", () => {
    expect(() => parseOne({ question: "a", answer: "b" }, { instruction: "qestion" })).toThrow(
      expect.objectContaining({
        message: 'a.jsonl has no column "qestion" (fields.instruction); its columns are question, answer',
        hint: 'The nearest column is "question".',
      }),
    );
    expect(() => parseOne({ question: "a" }, { instrction: "question" } as FieldMap)).toThrow(
      expect.objectContaining({ hint: "Did you mean fields.instruction?" }),
    );
  });

  it("a column only some rows have is no error: inputs are optional", () => {
    const rows = [
      { q: "a", extra: "b", answer: "c" },
      { q: "d", answer: "e" },
    ].map((fields, i) => ({ source: { file: "f", record: i + 1 }, fields }));
    expect(parseRows(rows, { instruction: "q", input: "extra" }).records.map(({ content }) => content)).toEqual([
      { kind: "instruction", instruction: "a", input: "b", response: "c" },
      { kind: "instruction", instruction: "d", response: "e" },
    ]);
  });
});
