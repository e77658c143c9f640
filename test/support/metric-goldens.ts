import { readFileSync } from "node:fs";
import type { TextBleuOptions } from "../../src/evaluation/metrics/bleu.ts";
import type { Attempts } from "../../src/evaluation/metrics/pass-at-k.ts";
import type { SnippetScore } from "../../src/evaluation/metrics/snippet-bleu.ts";
import type { LengthedPreference } from "../../src/evaluation/metrics/win-rate.ts";

type Triple = [precision: number, recall: number, f1: number];
type RougeRow = Record<"rouge1" | "rouge2" | "rougeL" | "rougeLsum", Triple>;

/** What the reference programs make of random text: scripts/golden/make_metrics.py. */
export interface MetricGoldens {
  bleu: {
    hypotheses: string[];
    references: string[][];
    cases: {
      options: TextBleuOptions;
      score: number;
      precisions: number[];
      brevityPenalty: number;
      hypothesisLength: number;
      referenceLength: number;
      sentences: number[];
    }[];
  }[];
  snippets: {
    references: string[];
    predictions: string[];
    tokens: string[][];
    conala: SnippetScore;
    concode: SnippetScore;
  }[];
  rouge: {
    cases: { reference: string; prediction: string; plain: RougeRow; stemmed: RougeRow }[];
    stems: Record<string, string>;
  };
  drop: [prediction: string[], references: string[][], exactMatch: number, f1: number][];
  squad: [prediction: string, references: string[], exactMatch: number, f1: number][];
  normalized: [string, string][];
  classification: {
    truth: string[];
    predicted: string[];
    labels: string[] | null;
    accuracy: number;
    macro: Triple;
    micro: Triple;
    weighted: Triple;
    each: Record<string, [...Triple, support: number]>;
  }[];
  assignments: { scores: number[][]; best: number }[];
  lengthControlled: { comparisons: LengthedPreference[]; ridge: number; winRate: number }[];
  passAtK: [samples: Attempts["samples"], correct: Attempts["correct"], k: number, expected: number][];
  numbers: [string, string][];
}

export const metricGoldens = JSON.parse(
  readFileSync(new URL("../golden/metrics.json", import.meta.url), "utf8"),
) as MetricGoldens;
