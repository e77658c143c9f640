import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Example } from "../data/example.ts";
import { microBatches, padBatch, supervisedTokens } from "./micro-batches.ts";

const example = (id: number, length: number): Example => ({
  id: String(id),
  tokens: Int32Array.from({ length }, (_, i) => 10 * id + i),
  supervised: Uint8Array.from({ length }, (_, i) => (i % 2 === 1 ? 1 : 0)),
});

describe("microBatches", () => {
  test("every item in exactly one group, none padded beyond the budget unless alone", () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(fc.array(lengths, { maxLength: 30 }), fc.integer({ min: 1, max: 200 }), (items, budget) => {
        const groups = microBatches(
          items.map((sequences, i) => sequences.map((length) => example(i, length))),
          budget,
        );
        expect(groups.flat().sort((a, b) => a - b)).toEqual(items.map((_, i) => i));
        for (const group of groups) {
          const all = group.flatMap((i) => items[i]!);
          expect(group.length === 1 || all.length * Math.max(...all) <= budget).toBe(true);
        }
      }),
    );
  });

  test("like lengths meet", () => {
    const groups = microBatches([[example(0, 9)], [example(1, 2)], [example(2, 10)], [example(3, 2)]], 20);
    expect(groups).toEqual([
      [2, 0],
      [1, 3],
    ]);
  });

  test("the two sequences of a pair count twice, and stay together", () => {
    const pairs = [
      [example(0, 3), example(1, 10)],
      [example(2, 8), example(3, 8)],
      [example(4, 10), example(5, 2)],
    ];
    expect(microBatches(pairs, 40)).toEqual([[0, 2], [1]]);
    expect(microBatches(pairs, 60)).toEqual([[0, 2, 1]]);
  });
});

test("padBatch names the position before each supervised token", () => {
  const { ids, rows, labels, counts } = padBatch([example(1, 4), example(2, 3)], 1);
  expect(ids.shape).toEqual([2, 4]);
  expect([...ids.data].map(Number)).toEqual([10, 11, 12, 13, 20, 21, 22, 0]);
  expect([...rows.data].map(Number)).toEqual([0, 2, 4]);
  expect([...labels.data].map(Number)).toEqual([11, 13, 21]);
  expect(counts).toEqual([2, 1]);
});

test("a supervised first token counts nowhere: nothing comes before it", () => {
  const odd = { id: "x", tokens: Int32Array.of(5, 6), supervised: Uint8Array.of(1, 1) };
  expect(supervisedTokens(odd)).toBe(1);
  expect(padBatch([odd], 1).labels.data).toHaveLength(1);
});
