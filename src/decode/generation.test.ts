import { expect, test } from "vitest";
import { answersOf } from "../../test/support/answers.ts";
import { scriptedDecoder } from "../../test/support/scripted-decoder.ts";
import { stream } from "../tensor/random.ts";
import { generate } from "./generation.ts";
import { GREEDY } from "./token-sampling.ts";

/** A prompt [n, …] is answered with n − 1, n − 2, … 1 and the stop token 0. */
const countdown = (tokens: readonly number[]): number => Math.max(0, tokens.at(-1)! - 1);
const prompts = [3, 9, 1, 5, 2, 7].map((n) => Int32Array.of(900, n));
const expected = prompts.map(([, n]) => Array.from({ length: n! - 1 }, (_, i) => n! - 1 - i));
const stopTokens = new Set([0]);

test.each([1, 2, 4, 100])(
  "every prompt gets its own answer, %i at once, and rows that ended cost nothing",
  async (batchSize) => {
    const decoder = scriptedDecoder(countdown);
    expect(await answersOf(decoder, new Map(), prompts, { stopTokens, batchSize })).toEqual(expected);
    const read = prompts.length;
    const tokens = expected.reduce((sum, answer) => sum + answer.length, 0);
    expect(decoder.calls.reduce((a, b) => a + b, 0)).toBe(read + tokens);
    expect(Math.max(...decoder.calls)).toBeLessThanOrEqual(batchSize);
  },
);

test("a long prompt is read in pieces and remembered whole", async () => {
  const long = Int32Array.from({ length: 700 }, (_, i) => i);
  const decoder = scriptedDecoder((tokens) => tokens.reduce((a, b) => a + b, 0) % 997);
  const [answer] = await answersOf(decoder, new Map(), [long], { maxNewTokens: 3 });
  const first = ((700 * 699) / 2) % 997;
  expect(answer!.slice(0, 2)).toEqual([first, (2 * first) % 997]);
  expect(decoder.calls).toEqual([1, 1, 1, 1, 1]);
});

test("an answer ends at its longest, at the end of the window, or where the caller says so", async () => {
  const up = (tokens: readonly number[]): number => tokens.at(-1)! + 1;
  const finishes = async (options: object, maxLength?: number) => {
    const ends: unknown[] = [];
    let tokens = 0;
    const all = { ...greedy, maxNewTokens: 10, ...options };
    for await (const event of generate(scriptedDecoder(up, maxLength), new Map(), [Int32Array.of(1, 2)], all)) {
      if ("token" in event) tokens++;
      else ends.push(event.finish);
    }
    return [tokens, ...ends];
  };
  const greedy = {
    ...GREEDY,
    stopTokens,
    batchSize: 8,
    random: () => stream(0),
  };
  expect(await finishes({})).toEqual([10, "length"]);
  expect(await finishes({}, 6)).toEqual([4, "length"]);
  expect(await finishes({}, 2)).toEqual([0, "length"]);
  expect(await finishes({ stopTokens: new Set([6]) })).toEqual([3, "stop"]);
  let asked = 0;
  expect(await finishes({ isComplete: () => ++asked === 4 })).toEqual([4, "stop"]);
  await expect(finishes({ signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
});
