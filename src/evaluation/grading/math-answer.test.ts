import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { lastBoxed, sameMath } from "./math-answer.ts";

interface Golden {
  readonly equal: readonly [a: string, b: string, same: boolean][];
  readonly boxed: readonly [text: string, content: string | null][];
}

const golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/math-answers.json", import.meta.url), "utf8"),
) as Golden;

it("calls the same answers equal as the authors' is_equiv", () => {
  const otherwise = golden.equal.filter(([a, b, same]) => sameMath(a, b) !== same);
  expect(otherwise).toEqual([]);
  expect(golden.equal.filter(([a, b, same]) => same && a !== b).length).toBeGreaterThan(80);
});

it("finds the box the authors find", () => {
  expect(golden.boxed.map(([text]) => [text, lastBoxed(text) ?? null])).toEqual(golden.boxed);
});
