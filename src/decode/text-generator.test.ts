import { expect, test } from "vitest";
import { scriptedDecoder } from "../../test/support/scripted-decoder.ts";
import { scriptedGenerator } from "../../test/support/scripted-generator.ts";
import { GrowingText } from "./growing-text.ts";

const bytes = new TextEncoder();

/** Answers prompt n with text n, byte by byte, then the stop token 0. */
async function say(texts: string[], stop: string[], options: { maxNewTokens?: number; batchSize?: number } = {}) {
  const said = texts.map((text) => bytes.encode(text));
  const generator = scriptedGenerator(scriptedDecoder((tokens) => said[tokens[0]!]![tokens.length - 1] ?? 0));
  const pieces: string[][] = texts.map(() => []);
  const answers = await generator.generate(
    texts.map((_, i) => Int32Array.of(i)),
    { maxNewTokens: 200, seed: 1, stop, onText: (piece, prompt) => pieces[prompt]!.push(piece), ...options },
  );
  expect(pieces.map((list) => list.join(""))).toEqual(answers.map(({ text }) => text));
  return { answers, pieces };
}

test("a stop string across tokens ends the answer before it, and nothing of it is shown", async () => {
  const { answers, pieces } = await say(["one two END three", "no end", "EN EEND"], ["END"]);
  expect(answers).toEqual([
    { text: "one two ", tokens: 11, finish: "stop" },
    { text: "no end", tokens: 6, finish: "stop" },
    { text: "EN E", tokens: 7, finish: "stop" },
  ]);
  // What begins like the stop string waits until it is clear that it is not one.
  expect(pieces[2]).toEqual(["EN ", "E"]);
});

test("the first of several stop strings counts", async () => {
  const { answers } = await say(["a\n\nb###c"], ["###", "\n\n"]);
  expect(answers[0]!.text).toBe("a");
});

test("a character of several tokens appears when it is whole", async () => {
  const { answers, pieces } = await say(["né 你好"], ["€"]);
  expect(answers[0]!.text).toBe("né 你好");
  expect(pieces[0]).toEqual(["n", "é", " ", "你", "好"]);
  const { answers: cut } = await say(["é"], [], { maxNewTokens: 1 });
  expect(cut[0]).toEqual({ text: "\uFFFD", tokens: 1, finish: "length" });
});

test("what is held back is shown at the end", async () => {
  const { pieces } = await say(["ab"], ["abc"]);
  expect(pieces[0]).toEqual(["ab"]);
});

test("answers keep their prompts, however many run at once", async () => {
  const texts = Array.from({ length: 20 }, (_, i) => "x".repeat((i * 7) % 11) + i);
  for (const batchSize of [1, 3, 50]) {
    expect((await say(texts, [], { batchSize })).answers.map(({ text }) => text)).toEqual(texts);
  }
});

/** A tokenizer like LLaMA-2's: a space is part of the token after it, and a space at the start of a text is dropped. */
const wordTokenizer = {
  decode: (ids: Iterable<number>, { skipSpecial = false } = {}) =>
    Array.from(ids, (id) => [skipSpecial ? "" : "<s>", " on", "ce", " upon", "\uFFFD"][id])
      .join("")
      .replace(/^ /, ""),
};

test.each([
  ["a text by itself begins without its space", undefined, "upon once"],
  ["the rest of a text begins with it", 2, " upon once"],
  ["after a special token it begins with it too", 0, " upon once"],
  ["a token that is no whole character is no beginning", 4, "upon once"],
])("%s", (_, before, expected) => {
  const pieces: string[] = [];
  const options = { tokenizer: wordTokenizer, before, onPiece: (piece: string) => pieces.push(piece) };
  const text = new GrowingText({ ...options, stop: ["upon once more"] });
  for (const token of [3, 1, 2]) text.add(token);
  text.end();
  expect(text.text).toBe(expected);
  expect(pieces.join("")).toBe(expected);
});
