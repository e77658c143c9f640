import fc from "fast-check";
import { expect, it } from "vitest";
import { mergeRepeated, splitDialogue } from "./hh-dialogue.ts";
import type { Message } from "./messages.ts";

/** Undoes `splitDialogue`. */
function joinDialogue(messages: readonly Message[]): string {
  return messages.map(({ role, content }) => `\n\n${role === "user" ? "Human" : "Assistant"}: ${content}`).join("");
}

/** Text that is likely to hold what could be mistaken for a marker. */
const pieces = fc
  .array(fc.constantFrom("\n", "\n\n", "Human:", "Assistant:", " ", "\n\nHumans: ", "a", "é", "\r\n", "\n\nHuman:"))
  .map((parts) => parts.join(""));

it("splits a dialogue where a speaker's mark stands, and nowhere else", () => {
  expect(
    splitDialogue("\n\nHuman: Why?\n\nAssistant:  As Human: said:\n\nHumans: no\n\nHuman: \n\nAssistant: b\n"),
  ).toEqual([
    { role: "user", content: "Why?" },
    { role: "assistant", content: " As Human: said:\n\nHumans: no" },
    { role: "user", content: "" },
    { role: "assistant", content: "b\n" },
  ]);
});

it("what does not begin with the Human is no dialogue", () => {
  for (const text of ["", "Why?", "Human: Why?", " \n\nHuman: Why?", "\n\nAssistant: Hello", "\n\nHuman:Why?"]) {
    expect(splitDialogue(text)).toBeUndefined();
  }
});

it("splitting and joining gives every dialogue back, byte for byte", () => {
  fc.assert(
    fc.property(pieces, fc.string(), (a, b) => {
      const text = `\n\nHuman: ${a}${b}\n\nAssistant: ${a}`;
      expect(joinDialogue(splitDialogue(text)!)).toBe(text);
    }),
  );
});

it("merges turns of one speaker in a row", () => {
  expect(mergeRepeated(splitDialogue("\n\nHuman: a\n\nHuman: b\n\nAssistant: c\n\nHuman: d")!)).toEqual([
    { role: "user", content: "a\n\nb" },
    { role: "assistant", content: "c" },
    { role: "user", content: "d" },
  ]);
});
