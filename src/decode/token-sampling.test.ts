import { expect, test } from "vitest";
import { stream } from "../tensor/random.ts";
import { adjustLogits, chooseToken, GREEDY, penalizeRepetition } from "./token-sampling.ts";

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

test("of top-k and top-p together, top-p counts within what top-k left", () => {
  // Of the two likeliest, the first has 0.731; of all it has 0.665.
  expect(shares({ topK: 2, topP: 0.7 })).toEqual([0, 1, 0, 0]);
  expect(shares({ topK: 2, topP: 0.74 })[2]).toBeGreaterThan(0.2);
});

test("a large vocabulary: the same choice as sorting all of it", () => {
  const random = stream(5, "vocabulary");
  const many = Float32Array.from({ length: 5000 }, () => 4 * random.normal());
  const sorted = [...many.keys()].sort((a, b) => many[b]! - many[a]!);
  const weights = sorted.map((token) => Math.exp(many[token]! - many[sorted[0]!]!));
  const total = weights.reduce((a, b) => a + b, 0);
  for (const [topK, topP] of [
    [40, 1],
    [0, 0.9],
    [0, 0.999999],
    [40, 0.5],
  ] as const) {
    let allowed = topK === 0 ? sorted.length : topK;
    const kept = weights.slice(0, allowed).reduce((a, b) => a + b, 0);
    for (let sum = 0, i = 0; i < allowed; sum += weights[i++]!)
      if (sum >= topP * (topK === 0 ? total : kept)) allowed = i;
    const drawn = new Set<number>();
    for (let i = 0; i < 500; i++) drawn.add(chooseToken(many, { ...options, topK, topP, random }));
    for (const token of drawn) expect(sorted.indexOf(token)).toBeLessThan(allowed);
    expect(drawn.size).toBeGreaterThan(Math.min(allowed, 8) / 2);
  }
});

test("the repetition penalty divides positive logits and multiplies negative ones, of seen tokens only", () => {
  expect([...penalizeRepetition(logits, [1, 3, 1], 2)]).toEqual([1, 1.5, 2, -8]);
  expect(penalizeRepetition(logits, [1, 3], 1)).toBe(logits);
  expect([...logits]).toEqual([1, 3, 2, -4]);
});

test("and the draws follow: a penalised favourite is drawn as often as its new logit says", () => {
  const penalized = penalizeRepetition(logits, [1], 3);
  const random = stream(6, "penalty");
  let favourite = 0;
  for (let i = 0; i < 20_000; i++) if (chooseToken(penalized, { ...options, random }) === 1) favourite++;
  const weights = [...penalized].map(Math.exp);
  const share = weights[1]! / weights.reduce((a, b) => a + b, 0);
  expect(Math.abs(favourite / 20_000 - share)).toBeLessThan(0.012);
  expect(chooseToken(penalized, { ...options, temperature: 0 })).toBe(2);
});

test("top-p keeps the smallest set that reaches p", () => {
  // The likeliest token alone has 0.665 of the mass.
  expect(shares({ topP: 0.6 })).toEqual([0, 1, 0, 0]);
  expect(shares({ topP: 0.7 })[0]).toBe(0);
  expect(shares({ topP: 0.7 })[2]).toBeGreaterThan(0.2);
});

test("penalties count the answer's tokens, and biases are added", () => {
  const counts = new Map([
    [1, 2],
    [3, 1],
  ]);
  const before = { seen: new Set([0, 1, 3]), counts };
  const adjusted = (more: object): number[] => [...adjustLogits(logits, before, { ...GREEDY, ...more })];
  expect(adjusted({})).toEqual([1, 3, 2, -4]);
  expect(adjusted({ frequencyPenalty: 0.5 })).toEqual([1, 2, 2, -4.5]);
  expect(adjusted({ presencePenalty: 0.5 })).toEqual([1, 2.5, 2, -4.5]);
  expect(adjusted({ frequencyPenalty: 0.5, presencePenalty: -1 })).toEqual([1, 3, 2, -3.5]);
  expect(adjusted({ logitBias: new Map([[2, 8]]) })).toEqual([1, 3, 10, -4]);
  // The repetition penalty looks at the prompt too, and comes first.
  expect(adjusted({ repetitionPenalty: 2, presencePenalty: 1 })).toEqual([0.5, 0.5, 2, -9]);
  expect([...logits]).toEqual([1, 3, 2, -4]);
});
