import { describe, expect, test } from "vitest";
import { readPreference, readRating, readWord } from "./judge-verdict.ts";

describe("a rating", () => {
  test.each([
    ["The answer is clear and right. Rating: [[8]]", 8],
    ["Rating: [[7.5]]", 7.5],
    ["[[3.]] is what it deserves", 3],
    ["I waver between [[4]] and [[6]].", 4],
    ["Rating: [6]", 6],
    ["It quotes source [2], but in the end: [[9]]", 9],
    ["<think>At first sight [[2]], but no.</think>Good work. [[8]]", 8],
    ["Bewertung: [[5]], weil die Antwort nur die Hälfte sagt.", 5],
    ["评分：[[7]]", 7],
  ])("in %j is %d", (judgement, rating) => {
    expect(readRating(judgement, "paper")).toBe(rating);
    expect(readRating(judgement, "original")).toBe(rating);
  });

  test.each([
    "I would give it eight out of ten.",
    "Rating: 8/10",
    "[[eight]]",
    "[[ 8 ]]",
    "[[rating]]",
    "Ich gebe acht von zehn Punkten.",
    "",
    "<think>perhaps [[8]]</think>",
  ])("is not in %j", (judgement) => {
    expect(readRating(judgement, "paper")).toBeNull();
  });

  test("beyond the scale is taken as it is under fidelity original only", () => {
    expect(readRating("Rating: [[85]]", "paper")).toBeNull();
    expect(readRating("Rating: [[85]]", "original")).toBe(85);
    expect(readRating("Rating: [[10]]", "paper")).toBe(10);
  });
});

describe("a preference", () => {
  test.each([
    ["A is shorter, B is right: [[B]]", "B"],
    ["[[A]]", "A"],
    ["Both miss the point. [[C]]", "tie"],
    ["Not [[B]] but [[A]]", "A"],
    ["<think>[[A]]?</think>[[B]]", "B"],
    ["Assistant A wins.", null],
    ["[[a]]", null],
    ["[A]", null],
    ["Die zweite Antwort ist besser.", null],
  ])("in %j is %s", (judgement, preference) => {
    expect(readPreference(judgement)).toBe(preference);
  });
});

test("a word counts where the judgement ends with it", () => {
  const words = ["refused", "complied"] as const;
  expect(readWord("It could be [[complied]], but it says no: [[Refused]]", words)).toBe("refused");
  expect(readWord("It [[refused]]. Or rather [[unsure]]", words)).toBeNull();
  expect(readWord("It refused.", words)).toBeNull();
});
