import { describe, expect, it } from "vitest";
import { parseRows, type Content, type FieldMap } from "./record.ts";
import type { Row } from "./row.ts";

function parseOne(fields: Row, map?: FieldMap): Content | string {
  const { records, problems } = parseRows([{ source: { file: "a.jsonl", line: 1, record: 1 }, fields }], map);
  return records[0]?.content ?? problems[0]!.problem;
}

/** A question and its answer as messages; the answer has more beside. */
function turns(more: Row): { readonly messages: readonly object[] } {
  return {
    messages: [
      { role: "user", content: "a" },
      { role: "assistant", content: "b", ...more },
    ],
  };
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
    [{ body: "a" }, "no instruction, prompt, messages or text (columns: body)"],
    [
      { prompt: "a", completion: "b", label: "False" },
      "the label is false, so the answer is not wanted: rated answers are for objective.name kto",
    ],
    [
      { instruction: "a", output: "b", kto_tag: "FALSE" },
      "the label is false, so the answer is not wanted: rated answers are for objective.name kto",
    ],
    [turns({ train: 0.5 }), "message 2 has the train 0.5, expected 0 or 1 (or false or true)"],
    [turns({ weight: 1, loss: false }), "message 2 has marks that contradict each other (loss false)"],
    [
      turns({ mask: true }),
      'message 2 has "mask", which is not supported: to leave a whole turn out of the loss, write "train": false',
    ],
    [turns({ weight: 0 }), "every assistant message is marked as not to be learnt, so there is nothing to learn"],
    [
      { messages: [{ role: "user", content: "a", train: true }] },
      "message 1 (user) is marked to be learnt: only the assistant's turns can be",
    ],
    [
      {
        conversations: [
          { from: "human", value: "a" },
          { from: "function_call", value: "weather(Bern)" },
        ],
      },
      'message 2 is no function call: expected JSON such as {"name": "weather", "arguments": {"city": "Bern"}}',
    ],
    [{ ...turns({}), tools: "none" }, "the tools are a string, expected a list of functions"],
    [
      { instruction: "a", output: "b", history: [["a"]] },
      "turn 1 of the history is an array, expected a pair [question, answer] of texts",
    ],
    [{ instruction: "a", output: "b", system: ["x"] }, "the system message is an array, expected text"],
    [
      { prompt: [{ role: "assistant", content: "a" }], completion: [{ role: "assistant", content: "b" }] },
      "the prompt ends with the assistant's turn, expected the user's: an answer cannot be continued",
    ],
    [
      { prompt: [{ role: "user", content: "a" }], completion: [] },
      "in the completion, no assistant message among 0, so there is nothing to learn",
    ],
    [
      { prompt: "a", completion: { text: "b" } },
      "in the completion, message 1 has no role (role, or from), expected one of system, developer, user, human, prompter, assistant, gpt, model, bot, function_call, tool, function, ipython, observation, function_response",
    ],
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

describe("what a row has beside question and answer", () => {
  const system = { role: "system", content: "s" } as const;

  it("puts the system message and earlier turns before an instruction", () => {
    const row = { system: "s", history: '[["q", "a"]]', instruction: "i", input: "n", output: "o" };
    expect(parseOne(row)).toEqual({
      kind: "instruction",
      instruction: "i",
      input: "n",
      response: "o",
      before: [system, { role: "user", content: "q" }, { role: "assistant", content: "a" }],
    });
    expect(parseOne({ prompt: "p", completion: "c", system_prompt: "s" })).toEqual({
      kind: "completion",
      prompt: "p",
      completion: "c",
      before: [system],
    });
  });

  it("takes the columns that data.fields names, and leaves out what it maps to false", () => {
    const row = { persona: "s", past: [["q", "a"]], instruction: "i", output: "o", system: "other" };
    const around = parseOne(row, { system: "persona", history: "past" });
    expect(around).toMatchObject({ before: [system, { content: "q" }, { content: "a" }] });
    expect(parseOne({ ...row, history: row.past }, { system: false, history: false })).toEqual({
      kind: "instruction",
      instruction: "i",
      response: "o",
    });
  });

  it("keeps the conversation's own system message", () => {
    const own = { ...turns({}), system: "s" };
    const conversation = parseOne({ ...own, messages: [{ role: "system", content: "mine" }, ...own.messages] });
    expect(conversation).toMatchObject({ messages: [{ content: "mine" }, { content: "a" }, { content: "b" }] });
  });

  it("marks turns by 0, 1, true and false, as numbers and as text", () => {
    for (const mark of [0, 0n, false, "0", "false", "False", 0.0]) {
      const row = { messages: [...turns({ loss: mark }).messages, ...turns({ train: 1 }).messages] };
      const content = parseOne(row);
      expect(content).toMatchObject({ messages: [{}, { learnt: false }, {}, {}] });
      expect((content as { messages: readonly object[] }).messages[3]).toEqual({ role: "assistant", content: "b" });
    }
    expect(parseOne(turns({ weight: null, train: "True", loss: 1n }))).toMatchObject({ kind: "messages" });
  });

  it("counts the columns that no record was made from", () => {
    const row = (fields: Row) => ({ source: { file: "a.jsonl", record: 1 }, fields });
    const rows = [
      row({ id: 1, instruction: "a", input: "b", output: "c", response: "", text: "a b c", tags: [] }),
      row({ id: 2, instruction: "a", output: "c", system: "s", answer: "another" }),
      row({ id: null, conversations: turns({}).messages, system: "s", source: "web" }),
      row({ conversations: [system, ...turns({}).messages], system: "another" }),
      row({ prompt: [{ role: "user", content: "a" }], completion: [{ role: "assistant", content: "b" }], topic: "t" }),
    ];
    expect([...parseRows(rows).unused]).toEqual([
      ["id", 2],
      ["text", 1],
      ["answer", 1],
      ["source", 1],
      ["system", 1],
      ["topic", 1],
    ]);
  });
});
