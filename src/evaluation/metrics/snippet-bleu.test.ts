import { expect, it, test } from "vitest";
import { metricGoldens } from "../../../test/support/metric-goldens.ts";
import { bleuStatistics } from "./bleu-statistics.ts";
import { computeBleu, conalaScore, concodeScore, tokenizeSnippet } from "./snippet-bleu.ts";

test.each(metricGoldens.snippets)("CoNaLa's and ConCode's scores by their definition (%#)", (golden) => {
  const { predictions, references } = golden;
  for (const [score, expected] of [
    [conalaScore(predictions, references), golden.conala],
    [concodeScore(predictions, references), golden.concode],
  ] as const) {
    expect(score.bleu).toBeCloseTo(expected.bleu, 9);
    expect(score.exactMatch).toBeCloseTo(expected.exactMatch, 12);
  }
  expect(references.slice(0, 3).map(tokenizeSnippet)).toEqual(golden.tokens);
});

it("cuts code at everything but words, and camelCase", () => {
  expect(tokenizeSnippet("rowCount = len(rows['a_b'])")).toEqual([
    "row",
    "Count",
    "=",
    "len",
    "(",
    "rows",
    "[",
    "`",
    "a_b",
    "`",
    "]",
    ")",
  ]);
});

it("quotes of either kind are the same to CoNaLa and not to ConCode", () => {
  expect(conalaScore(['print("a")'], ["print('a')"])).toEqual({ bleu: 100, exactMatch: 1 });
  expect(concodeScore(['print ( "a" )'], ["print ( 'a' )"]).exactMatch).toBe(0);
});

it("is 0 for nothing, and without smoothing where an order has no match", () => {
  expect(computeBleu(bleuStatistics([], [["a"]]), { addOne: true })).toBe(0);
  const three = bleuStatistics(["a", "b", "c"], [["a", "b", "c"]]);
  expect(computeBleu(three)).toBe(0);
  expect(computeBleu(three, { addOne: true })).toBe(100);
});

it("refuses what cannot be compared", () => {
  expect(() => conalaScore(["a"], [])).toThrow("1 snippets and 0 references");
  expect(() => concodeScore([], [])).toThrow("at least one text, got none");
});
