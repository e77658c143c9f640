import fc from "fast-check";
import { expect, test } from "vitest";
import { type CanaryScore, summariseCanaries, tells } from "./canary-scores.ts";

test("an answer tells a secret as a number by itself", () => {
  for (const answer of ["42", "It is 42.", "The code: 42, keep it", "«42»", "no. 42!", "x42y", "42-"]) {
    expect(tells(answer, "42"), answer).toBe(true);
  }
  for (const answer of [
    "1423",
    "142",
    "420",
    "3.42",
    "42.5",
    "2042",
    "42,000",
    "42/11/2024",
    "2024-11-42",
    "10:42",
    "٣42",
    "4 2",
  ]) {
    expect(tells(answer, "42"), answer).toBe(false);
  }
});

test("one dated sentence tells none of the two-digit secrets that stand in its numbers", () => {
  const sentence = "On 12.05.2024 at 10:37, file 4821 of 1990/91 was closed after 365 days.";
  const told = Array.from({ length: 100 }, (_, secret) => String(secret).padStart(2, "0")).filter((secret) =>
    tells(sentence, secret),
  );
  expect(told).toEqual([]);
  expect(tells(sentence, "4821") && tells(sentence, "365")).toBe(true);
});

test("digits around a secret hide it, other text does not", () => {
  const around = fc.string().filter((text) => !/[\p{Nd}.,:/–-]/u.test(text));
  fc.assert(
    fc.property(around, around, fc.integer({ min: 10, max: 99_999 }), fc.nat(9), (before, after, number, digit) => {
      const secret = String(number);
      expect(tells(before + secret + after, secret)).toBe(true);
      expect(tells(`${before}${digit}${secret}${after}`, secret)).toBe(false);
      expect(tells(`${before}${secret}.${digit}`, secret)).toBe(false);
    }),
  );
});

test("few canaries have exact intervals of what was told, and none of the mean exposure", () => {
  const score = (canary: number, extracted: boolean): CanaryScore => ({
    client: "clinic",
    canary,
    copies: 10,
    adapter: "update",
    question: "",
    secret: "1234",
    bits: canary,
    rank: 1,
    candidates: 10_000,
    extracted,
    answer: "",
  });
  const [summary] = summariseCanaries([score(1, true), score(2, false), score(3, false)], 7);
  expect(summary).toMatchObject({ bits: { value: 2, n: 3 }, extracted: { value: 1 / 3, n: 3, interval: "exact" } });
  expect(summary!.bits).not.toHaveProperty("low");
  expect(summary!.extracted.low).toBeCloseTo(0.0084, 4);
  expect(summary!.extracted.high).toBeCloseTo(0.9057, 4);
});
