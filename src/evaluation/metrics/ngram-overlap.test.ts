import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { matchLengths, ngramOverlap } from "./ngram-overlap.ts";

const text = fc.array(fc.nat(3), { maxLength: 24 });
const texts = fc.array(text, { maxLength: 4 });
const n = fc.integer({ min: 1, max: 6 });

/** By looking at every place of every source. */
function obviously(of: readonly number[], sources: readonly (readonly number[])[]): number[] {
  return of.map((_, end) => {
    for (let length = end + 1; length > 0; length--) {
      const run = of.slice(end + 1 - length, end + 1);
      const occurs = (source: readonly number[]): boolean =>
        source.some((_token, at) => run.every((token, k) => source[at + k] === token));
      if (sources.some(occurs)) return length;
    }
    return 0;
  });
}

describe("n-gram overlap", () => {
  test("finds the longest run at every place", () => {
    fc.assert(
      fc.property(text, texts, (own, sources) => {
        expect([...matchLengths(own, sources)]).toEqual(obviously(own, sources));
      }),
    );
  });

  test("of a text with itself is all of it", () => {
    fc.assert(
      fc.property(text, n, (own, size) => {
        const { ngrams, shared, longestRun, longestRunEnd } = ngramOverlap(own, [own], size);
        expect(shared).toBe(ngrams);
        expect([longestRun, longestRunEnd]).toEqual([own.length, own.length]);
      }),
    );
  });

  test("of disjoint texts is nothing", () => {
    fc.assert(
      fc.property(text, texts, n, (own, sources, size) => {
        const foreign = sources.map((source) => source.map((token) => token + 100));
        expect(ngramOverlap(own, foreign, size)).toMatchObject({ shared: 0, longestRun: 0, longestRunEnd: 0 });
      }),
    );
  });

  test("counts n-grams, and does not join the end of a source to the next one's beginning", () => {
    const own = [1, 2, 3, 4, 5, 6];
    const sources = [
      [9, 1, 2, 3, 9],
      [4, 5],
    ];
    expect(ngramOverlap(own, sources, 2)).toEqual({ ngrams: 5, shared: 3, longestRun: 3, longestRunEnd: 3 });
    expect(ngramOverlap(own, sources, 3)).toMatchObject({ ngrams: 4, shared: 1 });
    expect(ngramOverlap(own, sources, 7)).toMatchObject({ ngrams: 0, shared: 0 });
  });
});
