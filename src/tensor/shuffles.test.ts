import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { numpyPermutation, testRows } from "./numpy-permutation.ts";
import { PythonRandom } from "./python-random.ts";

// scripts/golden/make_shuffles.py made it.
const golden = JSON.parse(
  readFileSync(new URL("../../test/golden/shuffles.json", import.meta.url), "utf8"),
) as Readonly<{
  python: Record<string, number[][]>;
  numpy: { seed: number; order: number[] }[];
  splits: { rows: number; share: number; seed: number; test: number[]; train: number[] }[];
  phrasebank: { size: number; first: number[] };
}>;

it("shuffles as CPython does, one list after the other", () => {
  for (const [seed, lists] of Object.entries(golden.python)) {
    const random = new PythonRandom(Number(seed));
    for (const expected of lists) {
      const items = expected.map((_, i) => i);
      random.shuffle(items);
      expect(items).toEqual(expected);
    }
  }
});

it("permutes as NumPy's default generator does", () => {
  for (const { seed, order } of golden.numpy) expect(numpyPermutation(order.length, seed)).toEqual(order);
});

it("splits as datasets' train_test_split does", () => {
  for (const { rows, share, seed, test, train } of golden.splits) {
    expect(testRows(rows, share, seed)).toEqual({ test, train });
  }
  const { test } = testRows(4846, 0.25, 42);
  expect([test.length, test.slice(0, 12)]).toEqual([golden.phrasebank.size, golden.phrasebank.first]);
});
