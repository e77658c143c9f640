import { expect, test } from "vitest";
import { addTallies, meansOf, type Tally } from "./tally.ts";

const a: Tally = { margin: { sum: 3, count: 2 }, chosenReward: { sum: 1, count: 1 } };
const b: Tally = { margin: { sum: -1, count: 1 }, rejectedReward: { sum: 0, count: 0 } };

test("tallies add up by name, and stay as they were", () => {
  const before = structuredClone([a, b]);
  expect(addTallies(a, b)).toEqual({
    margin: { sum: 2, count: 3 },
    chosenReward: { sum: 1, count: 1 },
    rejectedReward: { sum: 0, count: 0 },
  });
  expect(addTallies({}, a)).toEqual(a);
  expect([a, b]).toEqual(before);
});

test("means weigh by count, and leave out what was never counted", () => {
  expect(meansOf(addTallies(a, b))).toEqual({ margin: 2 / 3, chosenReward: 1 });
});
