import fc from "fast-check";
import { expect, it, test } from "vitest";
import { metricGoldens } from "../../../test/support/metric-goldens.ts";
import { classificationReport, classify, type PrecisionRecallF1 } from "./classification.ts";

const rounded = (of: object): unknown =>
  JSON.parse(JSON.stringify(of, (_, x) => (typeof x === "number" ? +x.toFixed(6) : x)));

it("accuracy, macro and weighted F1 by hand", () => {
  // Label 0: tp 2, fp 1, fn 1, F1 2/3. Label 1: tp 1, fp 1, fn 0, F1 2/3. Label 2: tp 1, fp 0, fn 1, F1 2/3.
  const truth = [0, 0, 0, 1, 2, 2];
  const predicted = [0, 0, 1, 1, 2, 0];
  expect(rounded(classify(truth, predicted))).toEqual({ accuracy: 0.666667, macroF1: 0.666667, weightedF1: 0.666667 });
  // Label 0: F1 2·1/(1+3) = 0.5; label 1: 0 of 3 found; label 2, predicted only: 0.
  expect(rounded(classify([0, 1, 1, 1], [0, 0, 0, 2]))).toEqual({
    accuracy: 0.25,
    macroF1: 0.166667,
    weightedF1: 0.125,
  });
  expect(classify([1, 2], [1, 2])).toEqual({ accuracy: 1, macroF1: 1, weightedF1: 1 });
});

const triple = ({ precision, recall, f1 }: PrecisionRecallF1): number[] => [precision, recall, f1];

test.each(metricGoldens.classification)("against scikit-learn (%#)", ({ truth, predicted, labels, ...expected }) => {
  const report = classificationReport(truth, predicted, labels === null ? {} : { labels });
  expect(report.accuracy).toBeCloseTo(expected.accuracy, 12);
  for (const average of ["macro", "micro", "weighted"] as const) {
    for (const [i, value] of triple(report[average]).entries()) {
      expect(value, average).toBeCloseTo(expected[average][i]!, 12);
    }
  }
  expect(report.labels.length).toBe(Object.keys(expected.each).length);
  for (const { label, support, ...score } of report.labels) {
    const each = expected.each[label]!;
    for (const [i, value] of [...triple(score), support].entries()) expect(value, label).toBeCloseTo(each[i]!, 12);
  }
});

it("micro F1 and weighted recall are the accuracy where all labels count", () => {
  const label = fc.constantFrom("up", "down", "flat");
  fc.assert(
    fc.property(fc.array(fc.tuple(label, label), { minLength: 1 }), (pairs) => {
      const { accuracy, micro, weighted } = classificationReport(
        pairs.map(([truth]) => truth),
        pairs.map(([, predicted]) => predicted),
      );
      for (const value of [...triple(micro), weighted.recall]) expect(value).toBeCloseTo(accuracy, 12);
    }),
  );
});

it("an answer that is no label is wrong, but no class of the mean", () => {
  const [truth, predicted] = [
    ["yes", "no", "no"],
    ["yes", "no", "perhaps"],
  ];
  expect(classificationReport(truth, predicted).macro.f1).toBeCloseTo((1 + 2 / 3 + 0) / 3, 12);
  const report = classificationReport(truth, predicted, { labels: ["yes", "no"] });
  expect(report.macro.f1).toBeCloseTo((1 + 2 / 3) / 2, 12);
  expect(report.accuracy).toBeCloseTo(2 / 3, 12);
});

it("refuses what cannot be compared", () => {
  expect(() => classify([], [])).toThrow("0 true labels");
  expect(() => classify([1], [1, 2])).toThrow("1 true labels and 2 predictions");
  expect(() => classificationReport([1], [1], { labels: [] })).toThrow("at least one and each once, got []");
  expect(() => classificationReport([1], [1], { labels: [1, 1] })).toThrow("each once, got [1, 1]");
});
