import fc from "fast-check";
import { expect, it, test } from "vitest";
import { metricGoldens } from "../../../test/support/metric-goldens.ts";
import { rouge, type Rouge } from "./rouge.ts";

const KINDS = ["rouge1", "rouge2", "rougeL", "rougeLsum"] as const;
const { cases, stems } = metricGoldens.rouge;

function expectScores(scores: Rouge, expected: (typeof cases)[number]["plain"]): void {
  for (const kind of KINDS) {
    const { precision, recall, f1 } = scores[kind];
    for (const [i, value] of [precision, recall, f1].entries()) expect(value, kind).toBeCloseTo(expected[kind][i]!, 12);
  }
}

test.each(cases)("against rouge-score, with and without stems (%#)", ({ reference, prediction, plain, stemmed }) => {
  expectScores(rouge([reference], prediction), plain);
  expectScores(rouge([reference], prediction, { stem: (word) => stems[word] ?? word }), stemmed);
});

it("the goldens tell stems from words, and lines from texts", () => {
  expect(cases.filter(({ plain, stemmed }) => plain.rouge1[2] !== stemmed.rouge1[2]).length).toBeGreaterThan(5);
  expect(cases.filter(({ plain }) => plain.rougeL[2] !== plain.rougeLsum[2]).length).toBeGreaterThan(5);
});

const text = fc
  .array(fc.constantFrom("oak", "pine", "yew", "\n", "larch"), { maxLength: 15 })
  .map((words) => words.join(" "));

it("is 1 for a copy, and swaps precision and recall when the texts are swapped", () => {
  fc.assert(
    fc.property(text, text, (a, b) => {
      const [there, back] = [rouge([a], b), rouge([b], a)];
      // The union of subsequences is taken on the reference's side, so rougeLsum is not symmetric.
      for (const kind of ["rouge1", "rouge2", "rougeL"] as const) {
        expect(there[kind].precision).toBe(back[kind].recall);
        expect(there[kind].f1).toBeCloseTo(back[kind].f1, 12);
      }
      if (/[a-z]/.test(a))
        expect(rouge([a], a)).toMatchObject({ rouge1: { f1: 1 }, rougeL: { f1: 1 }, rougeLsum: { f1: 1 } });
    }),
  );
});

it("of several references each measure takes the best", () => {
  const [near, far] = ["warm rain fell", "nothing alike"];
  expect(rouge([far, near], "warm rain fell")).toEqual(rouge([near], "warm rain fell"));
  expect(() => rouge([], "warm rain")).toThrow("at least one reference, got none");
});
