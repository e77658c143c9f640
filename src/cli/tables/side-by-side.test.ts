import fc from "fast-check";
import { expect, test } from "vitest";
import { plainStyle } from "../output.ts";
import { fitsSideBySide, sideBySide } from "./side-by-side.ts";
import { textWidth } from "../views/text-width.ts";

test("answers stand in columns under their names", () => {
  const sides = [
    { name: "base", text: "A loan is money that has to be given back." },
    { name: "bank", text: "Money lent.\nWith interest." },
  ];
  expect(sideBySide(sides, 63, plainStyle)).toEqual([
    "base                           │ bank",
    "A loan is money that has to be │ Money lent.",
    "given back.                    │ With interest.",
  ]);
});

test("a name or a word that is too long is cut or broken, not the column", () => {
  const sides = [
    { name: "a-very-long-name-of-an-adapter-of-somebody", text: "x".repeat(40) },
    { name: "b", text: "" },
  ];
  expect(sideBySide(sides, 59, plainStyle)).toEqual([
    "a-very-long-name-of-an-adap… │ b",
    `${"x".repeat(28)} │`,
    `${"x".repeat(12)}${" ".repeat(16)} │`,
  ]);
});

test("columns are used where each has 28 characters", () => {
  expect([fitsSideBySide(2, 59), fitsSideBySide(2, 58)]).toEqual([true, false]);
  expect([fitsSideBySide(3, 90), fitsSideBySide(3, 89)]).toEqual([true, false]);
});

test("no line is wider than the terminal, and no letter is lost", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "é", "你", "🙂", " ", "\n", "\t"), maxLength: 200 });
  fc.assert(
    fc.property(fc.array(text, { minLength: 2, maxLength: 4 }), fc.integer({ min: 0, max: 80 }), (texts, more) => {
      const columns = texts.length * 31 - 3 + more;
      const lines = sideBySide(
        texts.map((each, i) => ({ name: String(i), text: each })),
        columns,
        plainStyle,
      );
      for (const line of lines) expect(textWidth(line)).toBeLessThanOrEqual(columns);
      const letters = (from: string): string => Array.from(from.replaceAll(/[\s│]/g, "")).sort().join("");
      expect(letters(lines.slice(1).join(""))).toBe(letters(texts.join("")));
    }),
  );
});
