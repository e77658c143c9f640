import fc from "fast-check";
import { expect, it } from "vitest";
import { metricGoldens } from "../../../test/support/metric-goldens.ts";
import { bestAssignment } from "./assignment.ts";
import { dropMetric, normalizeSpan } from "./drop-metric.ts";
import { squadMetric } from "./squad-metric.ts";

it("DROP against its official program", () => {
  for (const [prediction, references, exactMatch, f1] of metricGoldens.drop) {
    expect(dropMetric(prediction, references), JSON.stringify([prediction, references])).toEqual({ exactMatch, f1 });
  }
});

it("an answer's normal form is the official program's", () => {
  for (const [answer, normalized] of metricGoldens.normalized) expect(normalizeSpan(answer), answer).toBe(normalized);
});

it("SQuAD against its official functions", () => {
  for (const [prediction, references, exactMatch, f1] of metricGoldens.squad) {
    const score = squadMetric(prediction, references);
    expect(score.exactMatch, prediction).toBe(exactMatch);
    expect(score.f1, prediction).toBeCloseTo(f1, 12);
  }
});

it("DROP by hand", () => {
  expect(dropMetric(["The Bears"], [["bears"]])).toEqual({ exactMatch: 1, f1: 1 });
  expect(dropMetric(["5"], [["5.0 yards"]])).toEqual({ exactMatch: 0, f1: 0.67 });
  expect(dropMetric(["6 yards"], [["5 yards"]])).toEqual({ exactMatch: 0, f1: 0 });
  expect(dropMetric(["smith", "jones"], [["Jones", "Smith"]])).toEqual({ exactMatch: 1, f1: 1 });
  expect(dropMetric(["jones"], [["Jones", "Smith"]])).toEqual({ exactMatch: 0, f1: 0.5 });
  expect(dropMetric(["jones"], [["  "], ["jones"]])).toEqual({ exactMatch: 1, f1: 1 });
});

it("refuses answers without spans", () => {
  expect(() => dropMetric([], [["a"]])).toThrow("at least one span each");
  expect(() => dropMetric(["a"], [])).toThrow("at least one span each");
  expect(() => squadMetric("a", [])).toThrow("at least one reference, got none");
});

it("the best assignment is scipy's", () => {
  for (const { scores, best } of metricGoldens.assignments) expect(bestAssignment(scores)).toBeCloseTo(best, 12);
  expect(bestAssignment([])).toBe(0);
});

/** Every way to give each row another column. */
function bySearch(scores: readonly (readonly number[])[], taken: readonly number[] = []): number {
  const [row, ...others] = scores;
  if (row === undefined) return 0;
  const free = row.flatMap((score, j) => (taken.includes(j) ? [] : [score + bySearch(others, [...taken, j])]));
  return Math.max(...free);
}

it("the best assignment is that of a search through all", () => {
  const matrix = fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 2 })).chain(([rows, more]) => {
    const row = fc.array(fc.integer({ min: -4, max: 9 }), { minLength: rows + more, maxLength: rows + more });
    return fc.array(row, { minLength: rows, maxLength: rows });
  });
  fc.assert(
    fc.property(matrix, (scores) => {
      const turned = scores[0]!.map((_, j) => scores.map((row) => row[j]!));
      expect(bestAssignment(scores)).toBe(bySearch(scores));
      expect(bestAssignment(turned)).toBe(bySearch(scores));
    }),
  );
});
