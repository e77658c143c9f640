import { expect, test } from "vitest";
import { stream } from "../tensor/random.ts";
import { chooseToken } from "./generation.ts";

const logits = Float32Array.of(1, 3, 2, -4);
const options = { temperature: 1, topK: 0, topP: 1, random: stream(1) };

/** Share of draws each token gets. */
function shares(changes: Partial<typeof options>): number[] {
  const random = stream(2, "shares");
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < 20_000; i++) counts[chooseToken(logits, { ...options, ...changes, random })]!++;
  return counts.map((count) => count / 20_000);
}

/** softmax([1, 3, 2, -4]) and softmax of its parts, by hand. */
test("temperature 0 is greedy, the first of equals", () => {
  expect(chooseToken(logits, { ...options, temperature: 0 })).toBe(1);
  expect(chooseToken(Float32Array.of(5, 5), { ...options, temperature: 0 })).toBe(0);
});

test("temperature 1 draws from the softmax", () => {
  const weights = [Math.exp(-2), 1, Math.exp(-1), Math.exp(-7)];
  const total = weights.reduce((a, b) => a + b, 0);
  shares({}).forEach((share, i) => expect(Math.abs(share - weights[i]! / total)).toBeLessThan(0.012));
});

test("top-k keeps the k likeliest, renormalised", () => {
  const [first, second, third, last] = shares({ topK: 2 });
  expect([first, last]).toEqual([0, 0]);
  expect(Math.abs(second! - 1 / (1 + Math.exp(-1)))).toBeLessThan(0.012);
  expect(third).toBeGreaterThan(0.2);
});

test("top-p keeps the smallest set that reaches p", () => {
  // The likeliest token alone has 0.665 of the mass.
  expect(shares({ topP: 0.6 })).toEqual([0, 1, 0, 0]);
  expect(shares({ topP: 0.7 })[0]).toBe(0);
  expect(shares({ topP: 0.7 })[2]).toBeGreaterThan(0.2);
});
