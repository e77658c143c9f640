import { expect, it } from "vitest";
import { classify } from "./classification.ts";

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

it("refuses what cannot be compared", () => {
  expect(() => classify([], [])).toThrow("0 true labels");
  expect(() => classify([1], [1, 2])).toThrow("1 true labels and 2 predictions");
});
