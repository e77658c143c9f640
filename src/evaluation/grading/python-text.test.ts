import { expect, it, test } from "vitest";
import { metricGoldens } from "../../../test/support/metric-goldens.ts";
import { numberText, parseNumber, splitWords, trimEnd, withoutArticles, withoutPunctuation } from "./python-text.ts";

test.each(metricGoldens.numbers)("float(%s) is written %s", (text, written) => {
  expect(numberText(parseNumber(text)!)).toBe(written);
});

it("reads what Python's float reads", () => {
  for (const [text, number] of [
    [" 5.\n", 5],
    ["+.5", 0.5],
    ["1_000e-1_0", 1000e-10],
    ["１２", 12],
    ["٣٤.٥", 34.5],
    ["-Infinity", -Infinity],
    ["NaN", NaN],
  ] as const) {
    expect(parseNumber(text), text).toBe(number);
  }
  for (const text of ["", ".", "1__0", "_1", "1_", "1 2", "1,000", "0x10", "²", "e5", "1e", "infinit"]) {
    expect(parseNumber(text), text).toBeUndefined();
  }
});

it("white space, punctuation and words are Python's", () => {
  expect(splitWords("\x1ca\x85b\u00a0c\ufeffd\u200be ")).toEqual(["a", "b", "c\ufeffd\u200be"]);
  expect(trimEnd(" a \x1f\u3000")).toBe(" a");
  expect(withoutPunctuation("a-b_c“d”!")).toBe("abc“d”");
  expect(withoutArticles("a “the” an_ thé the")).toBe("  “ ” an_ thé  ");
});
