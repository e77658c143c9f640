// A LLaMA of two layers with random weights, whose template and files are changed one by one. Sums of log-probabilities are
// transformers' (5.18, apply_chat_template, float32), from the end of the generation prompt through <|im_end|>.
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RecordScore, scoreFile } from "../src/jobs/score-file.ts";
import { nodePlatform } from "../src/node/platform.ts";

const TINY = new URL("golden/chatml/", import.meta.url);
const TURNS = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}";
const PROMPT = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}\n";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "openfedllm-templates-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

type Files = Readonly<Record<string, string | ((text: string) => string)>>;
type Turn = readonly [role: string, content: string];

const HELLO: readonly Turn[] = [
  ["user", "hi"],
  ["assistant", "hello"],
];

let models = 0;

/** Scores conversations with the tiny model, of which some files are others. */
async function scored(
  files: Files,
  ...conversations: readonly (readonly Turn[])[]
): Promise<{ scores: RecordScore[]; notes: string[] }> {
  const model = path.join(folder, `model-${models++}`);
  await cp(TINY, model, { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(model, name);
    await writeFile(file, typeof content === "string" ? content : content(await readFile(file, "utf8")));
  }
  const data = path.join(model, "data.jsonl");
  const rows = conversations.map((turns) => ({ messages: turns.map(([role, content]) => ({ role, content })) }));
  await writeFile(data, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  const [scores, notes]: [RecordScore[], string[]] = [[], []];
  const platform = nodePlatform({ baseDir: folder, threads: 1, onNote: (note) => notes.push(note) });
  await scoreFile({ model, data }, platform, (row) => scores.push(row));
  return { scores, notes };
}

function expectScores(
  scores: readonly RecordScore[],
  expected: readonly (readonly [logprob: number, tokens: number])[],
): void {
  expect(scores.map(({ tokens }) => tokens)).toEqual(expected.map(([, tokens]) => tokens));
  for (const [i, { logprob }] of scores.entries()) expect(logprob).toBeCloseTo(expected[i]![0], 3);
}

describe("what the model is shown is what transformers shows it", () => {
  test("a template that strips one kind of character leaves the others", async () => {
    const { scores } = await scored(
      { "chat_template.jinja": TURNS.replace("m.content", "m.content.lstrip('\\n')") + PROMPT },
      [
        ["user", "Body of a function that returns x?"],
        ["assistant", "    return x"],
      ],
      [
        ["user", "Q"],
        ["assistant", "a..b.."],
      ],
    );
    expectScores(scores, [
      [-73.6411, 13],
      [-46.0124, 7],
    ]);
  });

  test("tools and documents are None where there are none", async () => {
    const tools =
      "{% if tools is not none %}[TOOLS]{{ tools | tojson }}[/TOOLS]{% endif %}{% if documents is not none %}[DOCS]{% endif %}";
    expectScores((await scored({ "chat_template.jinja": tools + TURNS + PROMPT }, HELLO)).scores, [[-35.177, 5]]);
  });

  test("values are written as Python writes them", async () => {
    const first = "{{ true }}|{{ [1, 'a'] }}|{{ 'x' | length }}{{ '🙂' | length }}|{{ '1' == 1 }}\n";
    expectScores((await scored({ "chat_template.jinja": first + TURNS + PROMPT }, HELLO)).scores, [[-35.5389, 5]]);
  });

  test.each([
    ["{{ messages[0].content.find('i') }}", -36.1722],
    ["{{ '-'.join(['a', 'b']) }}", -33.6083],
    ["{{ '=' * 3 }}", -31.926],
    ["{{ '%02d' % 5 }}", -33.4322],
    ["{{ 'a\nb'.splitlines() | length }}", -35.1768],
    ["{% if '12'.isdigit() %}digits{% endif %}", -33.9846],
    ["{{ 'ab' | list | length }}", -35.1768],
    ["{{ [1, 2] | map('string') | join('') }}", -35.7456],
    ["{% raw %}{{ x }}{% endraw %}", -36.6609],
  ])("%s", async (first, logprob) => {
    expectScores((await scored({ "chat_template.jinja": first + TURNS + PROMPT }, HELLO)).scores, [[logprob, 5]]);
  });

  test("what is beyond this program is named, with its line, and the records are not blamed", async () => {
    const work = scored({ "chat_template.jinja": `\n{{ messages | random }}${TURNS}` }, HELLO);
    await expect(work).rejects.toThrow(
      "the chat template asks for what this program cannot do as Python does (the filter random is not supported, line 2)",
    );
  });
});

describe("answers are found in the whole text", () => {
  test("a template writes the last answer otherwise, as Qwen3's does", async () => {
    const thinks = TURNS.replace(
      "{{ m.content }}",
      "{% if m.role == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}{{ m.content }}",
    );
    const { scores } = await scored({ "chat_template.jinja": thinks + PROMPT }, [
      ["user", "q1"],
      ["assistant", "a1"],
      ["user", "q2"],
      ["assistant", "a2"],
    ]);
    expectScores(scores, [[-165.3253, 25]]);
  });

  test("the generation prompt begins the answer, as in R1's distillations", async () => {
    const content =
      "{% if m.role == 'assistant' %}{{ m.content.split('</think>')[-1] }}{% else %}{{ m.content }}{% endif %}";
    const template = TURNS.replace("{{ m.content }}", content) + PROMPT.replace("assistant\n", "assistant\n<think>\n");
    expectScores((await scored({ "chat_template.jinja": template }, HELLO)).scores, [[-35.177, 5]]);
  });
});

describe("files that disagree", () => {
  test("a head of its own in the weights is used, whatever config.json says, and a note tells so", async () => {
    const { scores, notes } = await scored(
      { "config.json": (text) => text.replace('"tie_word_embeddings": false', '"tie_word_embeddings": true') },
      HELLO,
    );
    expectScores(scores, [[-35.177, 5]]);
    expect(notes.join("\n")).toMatch(
      /ties the head to the embedding, but the weights hold an lm_head\.weight that differs/,
    );
  });

  test("a token that only tokenizer_config.json adds is one token", async () => {
    const added = {
      content: "<extra>",
      lstrip: false,
      rstrip: false,
      normalized: false,
      single_word: false,
      special: true,
    };
    const withToken = (text: string): string =>
      JSON.stringify({ ...(JSON.parse(text) as object), added_tokens_decoder: { "290": added } });
    const { scores } = await scored({ "tokenizer_config.json": withToken }, [
      ["user", "hi"],
      ["assistant", "<extra>"],
    ]);
    expectScores(scores, [[-16.4667, 2]]);
  });

  test("a token beyond the embedding matters only where a text holds it", async () => {
    const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
    const withPad = (text: string): string => {
      const json = JSON.parse(text) as { added_tokens: object[] };
      const names = ["<unused0>", "<unused1>", "<unused2>", "<unused3>", "<unused4>", "<unused5>", "<pad>"];
      const tokens = names.map((content, i) => ({ id: 290 + i, content, ...flags }));
      return JSON.stringify({ ...json, added_tokens: [...json.added_tokens, ...tokens] });
    };
    expectScores((await scored({ "tokenizer.json": withPad }, HELLO)).scores, [[-35.177, 5]]);
    const padded = scored({ "tokenizer.json": withPad }, [
      ["user", "hi"],
      ["assistant", "a <pad>"],
    ]);
    await expect(padded).rejects.toThrow(
      'a text holds the token "<pad>" (id 296), but the model\'s embedding has rows up to 295 (vocab_size 296)',
    );
  });
});
