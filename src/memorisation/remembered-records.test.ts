import { describe, expect, test } from "vitest";
import { scriptedDecoder } from "../../test/support/scripted-decoder.ts";
import { scriptedGenerator } from "../../test/support/scripted-generator.ts";
import type { Example } from "../data/example.ts";
import { answeredOf, copiedOf, extractedOf, isLongEnough, overlapOf, shareOf } from "./remembered-records.ts";

const STOP = 0;
const stopTokens = new Set([STOP]);

function example(prompt: readonly number[], answer: readonly number[]): Example {
  return {
    id: "",
    tokens: Int32Array.from([...prompt, ...answer, STOP, 99]),
    supervised: Uint8Array.from([...prompt.map(() => 0), ...answer.map(() => 1), 1, 0]),
  };
}

/** A model that knows some texts by heart: after the beginning of one it goes on with it, and else says 7. */
function knows(...texts: readonly (readonly number[])[]) {
  const decoder = scriptedDecoder((seen) => {
    const known = texts.find((text) => seen.length < text.length && seen.every((token, i) => token === text[i]));
    return known?.[seen.length] ?? (texts.some((text) => text.length === seen.length) ? STOP : 7);
  });
  return scriptedGenerator(decoder);
}

const A = { prompt: Int32Array.of(11, 12), answer: Int32Array.of(21, 22, 23, 24, 25, 26) };
const B = { prompt: Int32Array.of(13), answer: Int32Array.of(31, 32, 33, 34, 35, 36) };
const whole = ({ prompt, answer }: typeof A): number[] => [...prompt, ...answer];

describe("records as question and answer", () => {
  test("end before the token that ends the answer", () => {
    expect(answeredOf([example([11, 12], [21, 22])], stopTokens)).toEqual([
      { prompt: Int32Array.of(11, 12), answer: Int32Array.of(21, 22) },
    ]);
    expect(answeredOf([example([11, 12], [])], stopTokens)).toEqual([]);
  });

  test("of pairs are the chosen answer, of rated ones those that are wanted", () => {
    const [one, other] = [example([1], [5]), example([1], [6])];
    const rated = (desirable: boolean) => ({ id: "", answer: one, mismatched: other, desirable });
    const answers = answeredOf([{ id: "", chosen: one, rejected: other }, rated(true), rated(false)], stopTokens);
    expect(answers.map(({ answer }) => [...answer])).toEqual([[5], [5]]);
  });
});

describe("extraction", () => {
  const recall = { prefixTokens: 2, suffixTokens: 3 };

  test("needs every token of the suffix", async () => {
    const nearly = { ...A, answer: Int32Array.of(21, 22, 23, 24, 99, 26) };
    const generator = knows(whole(A), whole(B));
    expect(await extractedOf(generator, [A, B, nearly], recall)).toEqual([true, true, false]);
    expect(await extractedOf(knows(whole(B)), [A, B], recall)).toEqual([false, true]);
  });

  test("takes an answer that is long enough", () => {
    expect(isLongEnough(A, { prefixTokens: 2, suffixTokens: 4 })).toBe(true);
    expect(isLongEnough(A, { prefixTokens: 2, suffixTokens: 5 })).toBe(false);
  });

  test("is a share with an interval, and nothing of nothing", () => {
    expect(shareOf([true, false, false, false])).toMatchObject({ value: 0.25, n: 4 });
    expect(shareOf([])).toBeUndefined();
  });
});

describe("copying", () => {
  const how = { train: [A], heldOut: [B], ngramTokens: 3, maxNewTokens: 20 };

  test("is told from what the model says by itself", async () => {
    const [copied] = await copiedOf(knows(whole(A)), [A], how);
    expect(copied).toEqual({ ngrams: 4, inTraining: 4, inHeldOut: 0, longestRun: [21, 22, 23, 24, 25, 26] });
    const [own] = await copiedOf(knows(), [A], how);
    expect(own).toEqual({ ngrams: 18, inTraining: 0, inHeldOut: 0, longestRun: [] });
    const generator = knows([...A.prompt, 21, 22, 23, 50, 32, 33]);
    const [half] = await copiedOf(generator, [A], { ...how, ngramTokens: 2 });
    expect(half).toEqual({ ngrams: 5, inTraining: 2, inHeldOut: 1, longestRun: [21, 22, 23] });
  });

  test("weighs answers by their n-grams, and leaves out those that are too short", () => {
    const of = (ngrams: number, inTraining: number) => ({ ngrams, inTraining, inHeldOut: undefined, longestRun: [] });
    const copied = [of(30, 0), of(10, 10), of(0, 0)];
    expect(overlapOf(copied, ({ inTraining }) => inTraining, 1)).toMatchObject({ value: 0.25, n: 2 });
    expect(overlapOf(copied, ({ inHeldOut }) => inHeldOut, 1)).toBeUndefined();
  });
});
