import { describe, expect, it } from "vitest";
import { readDatasetInfo } from "./dataset-info.ts";
import type { DatasetRef } from "./dataset-ref.ts";
import type { FileReader } from "./file-reader.ts";
import type { LearnFrom } from "./record.ts";
import { loadNamed } from "./source.ts";

const INFO = "llama/dataset_info.json";

/** A folder in memory, with a Hub that holds `hub.json` of it as every dataset. */
function reader(files: Readonly<Record<string, unknown>>, asked: DatasetRef[] = []): FileReader {
  const bytesOf = (name: string): Uint8Array => {
    const content = files[name];
    if (content === undefined) throw new Error(`no file ${name}`);
    return new TextEncoder().encode(typeof content === "string" ? content : JSON.stringify(content));
  };
  return {
    read: async (path) => bytesOf(path),
    list: async (folder) =>
      Object.keys(files)
        .filter((name) => name.startsWith(`${folder}/`))
        .map((path) => ({ path, name: path.slice(folder.length + 1) })),
    dataset: async (ref) => (asked.push(ref), [{ name: "hub.json", path: "hub.json" }]),
  };
}

interface Case {
  readonly entry: Readonly<Record<string, unknown>>;
  readonly rows?: readonly object[];
  readonly learnFrom?: LearnFrom;
  readonly files?: Readonly<Record<string, unknown>>;
  readonly name?: string;
}

async function load({ entry, rows = [], learnFrom, files = {}, name = "mine" }: Case, asked: DatasetRef[] = []) {
  const given = {
    [INFO]: { mine: { file_name: "mine.json", ...entry }, other_set: {} },
    "llama/mine.json": rows,
    ...files,
  };
  const from = reader(given, asked);
  const info = await readDatasetInfo(from, INFO);
  return loadNamed(from, name, { info, learnFrom, draw: (records, count) => records.slice(-count) });
}

const contents = async (given: Case): Promise<unknown[]> => (await load(given)).records.map(({ content }) => content);
const openAi = { role_tag: "role", content_tag: "content", user_tag: "user", assistant_tag: "assistant" };

describe("Alpaca's form", () => {
  const rows = [{ instruction: "Add.", input: "1, 2", output: "3", system: "S", history: [["a", "b"]], label: false }];

  it("has instruction, input and output where nothing is said; other columns count for nothing", async () => {
    expect(await contents({ entry: {}, rows })).toEqual([
      { kind: "instruction", instruction: "Add.", input: "1, 2", response: "3" },
    ]);
    // `context` would be an input without the description.
    expect(await contents({ entry: {}, rows: [{ instruction: "Add.", output: "3", context: "no" }] })).toEqual([
      { kind: "instruction", instruction: "Add.", response: "3" },
    ]);
  });

  it("has the columns that are named", async () => {
    const columns = { prompt: "instruction", response: "output", system: "system", history: "history" };
    expect(await contents({ entry: { columns }, rows })).toEqual([
      {
        kind: "instruction",
        instruction: "Add.",
        response: "3",
        before: [
          { role: "system", content: "S" },
          { role: "user", content: "a" },
          { role: "assistant", content: "b" },
        ],
      },
    ]);
  });

  it("learns a prompt alone whole", async () => {
    const columns = { prompt: "content" };
    expect(await contents({ entry: { columns }, rows: [{ content: "Once.", prompt: "no", messages: [] }] })).toEqual([
      { kind: "text", text: "Once." },
    ]);
  });

  it("has pairs where it is ranking, and ratings by kto_tag", async () => {
    const pair = { question: "Why?", chosen: "So.", rejected: "No.", response: "other" };
    const ranked = { ranking: true, columns: { prompt: "question", chosen: "chosen", rejected: "rejected" } };
    expect(await contents({ entry: ranked, rows: [pair], learnFrom: "preferences" })).toEqual([
      { kind: "preference", prompt: [{ role: "user", content: "Why?" }], chosen: "So.", rejected: "No." },
    ]);
    await expect(load({ entry: ranked, rows: [pair] })).rejects.toThrow("this is preference data");
    const rated = { columns: { prompt: "question", response: "response", kto_tag: "good" } };
    expect(await contents({ entry: rated, rows: [{ ...pair, good: true }], learnFrom: "ratings" })).toEqual([
      { kind: "rated", prompt: [{ role: "user", content: "Why?" }], completion: "other", desirable: true },
    ]);
  });
});

describe("turns", () => {
  it("have ShareGPT's names, or OpenAI's, or others by tags", async () => {
    const expected = [
      { role: "system", content: "S" },
      { role: "user", content: "Q" },
      { role: "assistant", content: "A" },
    ];
    const shareGpt = [
      { from: "system", value: "S" },
      { from: "human", value: "Q" },
      { from: "gpt", value: "A" },
    ];
    const sharegpt = { formatting: "sharegpt" };
    expect(await contents({ entry: sharegpt, rows: [{ conversations: shareGpt, messages: "no" }] })).toEqual([
      { kind: "messages", messages: expected },
    ]);
    const named = { ...sharegpt, columns: { messages: "talk" }, tags: openAi };
    expect(await contents({ entry: named, rows: [{ talk: expected }] })).toEqual([
      { kind: "messages", messages: expected },
    ]);
    expect(await contents({ entry: { formatting: "openai" }, rows: [{ messages: expected }] })).toEqual([
      { kind: "messages", messages: expected },
    ]);
    const own = { role_tag: "who", content_tag: "said", user_tag: "Kundin", assistant_tag: "Bank", system_tag: "Haus" };
    const turns = [
      { who: "Haus", said: "S" },
      { who: "Kundin", said: "Q" },
      { who: "Bank", said: "A" },
    ];
    expect(await contents({ entry: { ...sharegpt, tags: own }, rows: [{ conversations: turns }] })).toEqual([
      { kind: "messages", messages: expected },
    ]);
  });

  it("hold calls and tools", async () => {
    const conversations = [
      { from: "human", value: "Weather?" },
      { from: "call", value: '{"name": "weather", "arguments": {"city": "Bern"}}' },
      { from: "result", value: "sun" },
      { from: "gpt", value: "Sunny." },
    ];
    const tags = { user_tag: "human", assistant_tag: "gpt", function_tag: "call", observation_tag: "result" };
    const entry = { formatting: "sharegpt", columns: { messages: "conversations", tools: "tools" }, tags };
    const tools = '[{"name": "weather", "parameters": {}}]';
    const [content] = await contents({ entry, rows: [{ conversations, tools }] });
    expect(content).toMatchObject({
      messages: [
        { role: "user" },
        { role: "assistant", extra: { tool_calls: [{ function: { name: "weather", arguments: { city: "Bern" } } }] } },
        { role: "tool", content: "sun" },
        { role: "assistant", content: "Sunny." },
      ],
      variables: { tools: [{ type: "function", function: { name: "weather" } }] },
    });
  });

  it("hold pairs and ratings", async () => {
    const talk = [{ role: "user", content: "Why?" }];
    const answer = (content: string) => ({ role: "assistant", content });
    const columns = { messages: "talk", chosen: "good", rejected: "bad" };
    const entry = { formatting: "sharegpt", ranking: true, columns, tags: openAi };
    const rows = [{ talk, good: answer("So."), bad: answer("No.") }];
    expect(await contents({ entry, rows, learnFrom: "preferences" })).toEqual([
      { kind: "preference", prompt: talk, chosen: "So.", rejected: "No." },
    ]);
    const rated = { formatting: "sharegpt", columns: { messages: "talk", kto_tag: "ok" }, tags: openAi };
    const rating = [{ talk: [...talk, answer("So.")], ok: false }];
    expect(await contents({ entry: rated, rows: rating, learnFrom: "ratings" })).toEqual([
      { kind: "rated", prompt: talk, completion: "So.", desirable: false },
    ]);
  });
});

describe("places", () => {
  const row = { instruction: "Q", output: "A" };

  it("are a file, a folder, or the Hub", async () => {
    expect((await load({ entry: {}, rows: [row] })).records[0]!.id).toBe("mine.json#1");
    const parts = {
      "llama/parts/a.jsonl": JSON.stringify(row),
      "llama/parts/b.json": [row],
      "llama/parts/README.md": "",
    };
    const whole = await load({ entry: { file_name: "parts" }, files: parts });
    expect(whole.records.map(({ id }) => id)).toEqual(["a.jsonl#1", "b.json#1"]);
    expect(
      (await load({ entry: { file_name: "/elsewhere.json" }, files: { "/elsewhere.json": [row] } })).records,
    ).toHaveLength(1);
    const asked: DatasetRef[] = [];
    const files = { "hub.json": [{ ...row, output: "" }, row] };
    const url = { hf_hub_url: "acme/talks", ms_hub_url: "acme/talks" };
    const found = await load({ entry: { ...url, subset: "en", split: "dev", revision: "v1" }, files }, asked);
    expect(found.records.map(({ id }) => id)).toEqual(["acme/talks?config=en&split=dev#2"]);
    expect(found.skipped).toHaveLength(1);
    await load({ entry: { ...url, folder: "deep/er" }, files }, asked);
    expect(asked.map(({ repository, config, split, revision }) => [repository, config, split, revision])).toEqual([
      ["acme/talks", "en", "dev", "v1"],
      ["acme/talks", "deep/er", "train", undefined],
    ]);
  });

  it("beside a description are read as ever", async () => {
    expect(
      (await load({ entry: {}, files: { "own.jsonl": '{"question": "Q", "answer": "A"}' }, name: "own.jsonl" }))
        .records,
    ).toHaveLength(1);
  });

  it("give so many of their records", async () => {
    const rows = ["a", "b", "c"].map((instruction) => ({ ...row, instruction }));
    const { records } = await load({ entry: { num_samples: 2 }, rows });
    expect(records.map(({ id }) => id)).toEqual(["mine.json#2", "mine.json#3"]);
    await expect(load({ entry: { num_samples: 4 }, rows })).rejects.toThrow("has num_samples 4, but 3 records");
  });
});

it.each<[string, Case, string, string]>([
  ["another name", { entry: {}, name: "mime" }, 'llama/dataset_info.json has no dataset "mime"', "Did you mean mine?"],
  ["a far name", { entry: {}, name: "zebra" }, 'has no dataset "zebra"', "It has mine, other_set."],
  ["no place", { entry: {}, name: "other_set" }, '"other_set" has no file_name and no hf_hub_url', "Add one of them."],
  ["a missing file", { entry: { file_name: "gone.json" } }, "no file llama/gone.json", ""],
  ["an empty folder", { entry: { file_name: "parts" } }, "holds no file of records", "Name a file"],
  ["a program", { entry: { script_url: "x" } }, '"mine" is at script_url: programs are not run', "Give file_name"],
  [
    "ModelScope",
    { entry: { ms_hub_url: "a/b", file_name: null } },
    "is at ms_hub_url: that place is not read",
    "Give file_name",
  ],
  [
    "pictures",
    { entry: { columns: { prompt: "a", images: "i" } } },
    "has columns.images: only text is learnt here",
    "another",
  ],
  [
    "a wrong column",
    { entry: { columns: { prompt: "instrction", response: "output" } }, rows: [{ instruction: "Q", output: "A" }] },
    'has columns.prompt "instrction", a column that llama/mine.json lacks',
    'The nearest column is "instruction".',
  ],
  [
    "an unknown key",
    { entry: { formating: "alpaca" } },
    '"mine" has formating, which is not known',
    "Did you mean formatting?",
  ],
  ["an unknown column", { entry: { columns: { promt: "a" } } }, "has columns.promt", "Did you mean columns.prompt?"],
  ["an unknown tag", { entry: { tags: { user_tg: "a" } } }, "has tags.user_tg", "Did you mean tags.user_tag?"],
  ["another form", { entry: { formatting: "sharegtp" } }, 'has formatting "sharegtp"', "Did you mean sharegpt?"],
  [
    "ranking without a pair",
    { entry: { ranking: true } },
    "is ranking, but columns has no chosen and rejected",
    "both",
  ],
  ["ranking as text", { entry: { ranking: "yes" } }, 'has ranking "yes"', "Write true or false."],
  [
    "turns in Alpaca's form",
    { entry: { columns: { messages: "talk" } } },
    "has formatting alpaca, but columns has no prompt",
    "Is its formatting sharegpt?",
  ],
  ["a split of a file", { entry: { split: "test" } }, "has the split test of a file", "remove it"],
  [
    "a configuration of a file",
    { entry: { subset: "en" } },
    "has subset, which only a dataset of the Hub has",
    "Remove it.",
  ],
  [
    "two folders",
    { entry: { hf_hub_url: "a/b", subset: "c", folder: "d" } },
    "has both subset and folder",
    "Keep the one",
  ],
  ["no count", { entry: { num_samples: 0 } }, "has num_samples 0", "1 or more"],
  ["columns of another type", { entry: { columns: ["a"] } }, "has columns an array, expected an object", "For example"],
])("refuses %s", async (_, given, message, hint) => {
  const error: unknown = await load(given).catch((thrown: unknown) => thrown);
  expect((error as Error).message).toContain(message);
  expect((error as { hint?: string }).hint ?? "").toContain(hint);
});

it.each([
  ["[]", "an array, expected an object of datasets by name"],
  ['{"mine": "mine.json"}', '"mine" is a string, expected a dataset\'s description'],
  ["{", "not valid JSON"],
])("a file %s is no description", async (text, message) => {
  await expect(readDatasetInfo(reader({ [INFO]: text }), INFO)).rejects.toThrow(message);
});
