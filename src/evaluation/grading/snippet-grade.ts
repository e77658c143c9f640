import type { Metric, Verdict } from "../benchmark.ts";
import { bleuStatistics, sumBleuStatistics, type BleuStatistics } from "../metrics/bleu-statistics.ts";
import { fencedCode } from "./generated-program.ts";
import { computeBleu } from "../metrics/snippet-bleu.ts";

/** BLEU-4 over all snippets, from their statistics; see `computeBleu`. */
export function snippetBleu(options: { readonly addOne?: boolean }): Metric {
  return {
    name: "bleu",
    title: "BLEU",
    unit: "percent",
    ofAll: (verdicts) =>
      computeBleu(sumBleuStatistics(verdicts.map(({ parts }) => unpacked(parts!["bleu"]!))), options),
  };
}

/** A snippet against the reference, as tokens: exact match, and what BLEU is made of. */
export function gradeSnippet(code: string, reference: string, tokenize: (code: string) => string[]): Verdict {
  const [own, expected] = [tokenize(code), tokenize(reference)];
  const same = own.length === expected.length && own.every((token, i) => token === expected[i]);
  return {
    scores: { exactMatch: same ? 1 : 0 },
    parsed: code === "" ? null : code,
    expected: reference,
    parts: { bleu: packed(bleuStatistics(own, [expected])) },
  };
}

/** The one line of code in an answer: a fenced block's, or the first line that says something. */
export function snippetOf(text: string): string {
  const block = fencedCode(text)?.trim();
  return (
    block ??
    text
      .split("\n")
      .find((line) => line.trim() !== "")
      ?.trim()
      .replaceAll(/^`|`$/g, "") ??
    ""
  );
}

function packed({ hypothesisLength, referenceLength, matches, totals }: BleuStatistics): number[] {
  return [hypothesisLength, referenceLength, ...matches, ...totals];
}

function unpacked([hypothesisLength = 0, referenceLength = 0, ...counts]: readonly number[]): BleuStatistics {
  const orders = counts.length / 2;
  return { hypothesisLength, referenceLength, matches: counts.slice(0, orders), totals: counts.slice(orders) };
}
