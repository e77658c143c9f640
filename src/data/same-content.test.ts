import { expect, it } from "vitest";
import type { Content } from "./content.ts";
import { contentKey, repeatedRecords } from "./same-content.ts";

const record = (instruction: string, response: string): { content: Content } => ({
  content: { kind: "instruction", instruction, response },
});

it("takes records for the same that differ in case, spaces and forms of a character only", () => {
  expect(contentKey(record("What  is\nit? ", "ﬁne"))).toBe(contentKey(record("what is it?", "FINE")));
  expect(contentKey(record("What is it?", "Fine"))).not.toBe(contentKey(record("What is it?", "Fine.")));
  expect(contentKey(record("a", "b c"))).not.toBe(contentKey(record("a b", "c")));
});

it("counts the records after the first of their content", () => {
  expect(repeatedRecords([record("a", "b"), record("A", "b "), record("a", "c"), record("a", "b")])).toBe(2);
  expect(repeatedRecords([])).toBe(0);
});
