import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { metricGoldens } from "../../../test/support/metric-goldens.ts";
import { bleuStatistics, sumBleuStatistics } from "./bleu-statistics.ts";
import { bleuOf, corpusBleu, sentenceBleu } from "./bleu.ts";

const cases = metricGoldens.bleu.flatMap(({ cases, ...corpus }, i) =>
  cases.map((each) => ({ ...corpus, ...each, name: `corpus ${i}, ${JSON.stringify(each.options)}` })),
);

describe("against sacreBLEU", () => {
  test.each(cases)("$name", ({ hypotheses, references, options, ...expected }) => {
    const { statistics, ...bleu } = corpusBleu(hypotheses, references, options);
    expect(bleu.score).toBeCloseTo(expected.score, 9);
    expect(bleu.brevityPenalty).toBeCloseTo(expected.brevityPenalty, 12);
    for (const [i, precision] of expected.precisions.entries()) expect(bleu.precisions[i]).toBeCloseTo(precision, 9);
    expect(statistics).toMatchObject({
      hypothesisLength: expected.hypothesisLength,
      referenceLength: expected.referenceLength,
    });
    for (const [i, score] of expected.sentences.entries()) {
      const sentence = sentenceBleu(hypotheses[i]!, references[i]!, { effectiveOrder: false, ...options });
      expect(sentence.score).toBeCloseTo(score, 9);
    }
  });
});

it("is by hand what the paper says", () => {
  // 3 of 4 words, 2 of 3 pairs, 1 of 2 triples, the one run of four does not match: 1/(2·1).
  const { score, precisions } = sentenceBleu("one two three five", ["one two three four"]);
  expect(precisions).toEqual([75, 200 / 3, 50, 50]);
  expect(score).toBeCloseTo(100 * (0.75 * (2 / 3) * 0.5 * 0.5) ** 0.25, 10);
  // Papineni et al.'s example: a word counts at most as often as the reference has it.
  expect(
    bleuStatistics("the the the the the the the".split(" "), ["the cat is on the mat".split(" ")]).matches[0],
  ).toBe(2);
});

it("the closest reference counts for the length, of two as close the shorter", () => {
  const words = (n: number): string[] => Array.from({ length: n }, (_, i) => `w${i}`);
  expect(bleuStatistics(words(5), [words(9), words(7), words(3)]).referenceLength).toBe(3);
  expect(bleuStatistics(words(5), [words(9), words(6), words(3)]).referenceLength).toBe(6);
  expect(bleuStatistics(words(5), [words(9), words(6), words(3)], { reference: "shortest" }).referenceLength).toBe(3);
});

const sentence = fc.array(fc.constantFrom("ash", "birch", "cedar", "elm", "fir"), { minLength: 4, maxLength: 20 });

it("is 100 for a copy of a reference, and not above 100 for anything", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(sentence, sentence), { minLength: 1, maxLength: 5 }), (pairs) => {
      const [own, others] = [pairs.map(([a]) => a.join(" ")), pairs.map(([, b]) => b.join(" "))];
      expect(
        corpusBleu(
          own,
          own.map((text, i) => [others[i]!, text]),
        ).score,
      ).toBeCloseTo(100, 9);
      const { score } = corpusBleu(
        own,
        others.map((text) => [text]),
      );
      expect(score >= 0 && score <= 100 + 1e-9).toBe(true);
    }),
  );
});

it("does not depend on the order of segments, and another reference never lowers the matches", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(sentence, sentence, sentence), { minLength: 1, maxLength: 5 }), (triples) => {
      const one = triples.map(([a, b]) => bleuStatistics(a, [b]));
      const two = triples.map(([a, b, c]) => bleuStatistics(a, [b, c]));
      expect(bleuOf(sumBleuStatistics([...one].reverse()))).toEqual(bleuOf(sumBleuStatistics(one)));
      for (const n of [0, 1, 2, 3]) {
        expect(sumBleuStatistics(two).matches[n]).toBeGreaterThanOrEqual(sumBleuStatistics(one).matches[n]!);
      }
    }),
  );
});

it("refuses what cannot be compared", () => {
  expect(() => corpusBleu(["a"], [])).toThrow("1 texts and references of 0 cannot be compared");
  expect(() => corpusBleu([], [])).toThrow("at least one text, got none");
  expect(() => corpusBleu(["a"], [[]])).toThrow("at least one reference for each text, got none");
});
