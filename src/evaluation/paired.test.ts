import { expect, it } from "vitest";
import type { Benchmark } from "./benchmark.ts";
import { pairedDifference } from "./metrics/bootstrap.ts";
import { pairModels } from "./paired.ts";
import type { Graded } from "./run-benchmark.ts";

const benchmark = { metrics: [{ name: "accuracy", title: "accuracy", unit: "share" }] } as unknown as Benchmark;
const sums = { name: "sums", benchmark };
const verdicts = (rights: readonly (number | undefined)[], first = 0): Graded[] =>
  rights.map((right, i) => ({
    question: `q${first + i}`,
    parsed: "",
    expected: "",
    scores: right === undefined ? {} : { accuracy: right },
  })) as unknown as Graded[];
const times = (n: number, of: (i: number) => number): number[] => Array.from({ length: n }, (_, i) => of(i));

it("pairs each model with the base, question by question, in whatever order they were asked", () => {
  const base = times(60, (i) => (i % 2 === 0 ? 1 : 0));
  const better = base.map((right, i) => (i % 10 === 1 ? 1 : right));
  const models = [
    { model: "adapter", verdicts: verdicts(better).reverse() },
    { model: "base", verdicts: verdicts(base) },
  ];
  const [paired, ...others] = pairModels(sums, models, { seed: 4 });
  expect(others).toEqual([]);
  const mean = (sample: readonly number[]): number => sample.reduce((a, b) => a + b, 0) / sample.length;
  const { ahead, ...wanted } = pairedDifference(better.toReversed(), base.toReversed(), mean, { seed: 4 });
  expect(paired).toEqual({
    benchmark: "sums",
    metric: "accuracy",
    model: "adapter",
    from: "base",
    difference: { ...wanted, interval: "bootstrap" },
    ahead,
  });
  expect(paired!.difference.value).toBeCloseTo(0.1, 12);
  expect(paired!.difference.low).toBeGreaterThan(0);
});

it("counts only questions that both have a verdict on", () => {
  const models = [
    { model: "one", verdicts: verdicts([1, 1, undefined, 0, 0]) },
    { model: "two", verdicts: verdicts([1, 0, 1, undefined], 1) },
    { model: "elsewhere", verdicts: verdicts([1], 90) },
  ];
  // q1 and q3 are left: q2 has no verdict of the first, q4 none of the second.
  expect(pairModels(sums, models, { seed: 1 })).toEqual([
    { benchmark: "sums", metric: "accuracy", model: "two", from: "one", difference: { value: 0.5, n: 2 } },
  ]);
});

it("has no interval for few questions, or where no question tells the two apart", () => {
  const same = times(40, (i) => i % 2);
  const pair = (a: readonly number[], b: readonly number[]) =>
    pairModels(
      sums,
      [
        { model: "base", verdicts: verdicts(a) },
        { model: "x", verdicts: verdicts(b) },
      ],
      { seed: 1 },
    )[0]!.difference;
  expect(pair(same, same)).toEqual({ value: 0, n: 40 });
  expect(
    pair(
      same.slice(0, 19),
      times(19, () => 1),
    ),
  ).toEqual({ value: expect.closeTo(10 / 19, 12), n: 19 });
  expect(
    pair(
      same.slice(0, 20),
      times(20, () => 1),
    ),
  ).toMatchObject({ n: 20, interval: "bootstrap" });
});
