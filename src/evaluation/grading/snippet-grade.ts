import type { Metric, Verdict } from "../benchmark.ts";
import { bleuStatistics, sumBleuStatistics, type BleuStatistics } from "../metrics/bleu-statistics.ts";
import { fencedCode } from "./generated-program.ts";
import { computeBleu } from "../metrics/snippet-bleu.ts";

/** Makes the metric BLEU-4 over all snippets, from their statistics; see `computeBleu`. */
export function snippetBleu(options: { readonly addOne?: boolean }): Metric {
  return {
    name: "bleu",
    title: "BLEU",
    unit: "percent",
    ofAll: (verdicts) =>
      computeBleu(sumBleuStatistics(verdicts.map(({ parts }) => unpacked(parts!["bleu"]!))), options),
  };
}

/** Compares the tokens of a snippet with the reference's: exact match, and statistics for BLEU. */
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

/** Finds the code in an answer: a fenced block, or the first line that is not empty. */
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
