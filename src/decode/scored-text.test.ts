import { expect, test } from "vitest";
import { scoredText } from "./scored-text.ts";

/** A token is a byte. */
const tokenizer = {
  decode: (ids: Iterable<number>) => new TextDecoder().decode(Uint8Array.from(ids)),
};
const scored = (text: string, more: object = {}) =>
  scoredText(
    [...new TextEncoder().encode(text)].map((token) => ({ token, score: undefined })),
    { tokenizer, ...more },
  ).map(({ text: part, offset }) => [part, offset]);

test("the tokens of one character share its place", () => {
  expect(scored("aé€z")).toEqual([
    ["a", 0],
    ["\uFFFD", 1],
    ["\uFFFD", 1],
    ["\uFFFD", 2],
    ["\uFFFD", 2],
    ["\uFFFD", 2],
    ["z", 3],
  ]);
});

test("places are counted in characters, not in code units, and what begins after the text is left out", () => {
  expect(scored("😀ab", { length: 2 }).slice(-2)).toEqual([
    ["\uFFFD", 0],
    ["a", 1],
  ]);
});

test("a space is kept where the tokenizer drops it at the start of a text", () => {
  const words = ["\u2581a", "\u2581b"];
  const sentencepiece = {
    decode: (ids: Iterable<number>) =>
      [...ids]
        .map((id) => words[id]!.replace("\u2581", " "))
        .join("")
        .slice(1),
  };
  const both = [0, 1].map((token) => ({ token, score: undefined }));
  expect(scoredText(both, { tokenizer: sentencepiece }).map(({ text }) => text)).toEqual(["a", " b"]);
  expect(scoredText(both, { tokenizer: sentencepiece, before: 1 }).map(({ text }) => text)).toEqual([" a", " b"]);
});
