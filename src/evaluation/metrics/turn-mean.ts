import type { Metric, Verdict } from "../benchmark.ts";

/** Makes a metric: the mean over all turns that have a value. A question with one of two counts half as much as one with both. */
export function turnMean(name: string, title: string, unit: Metric["unit"]): Metric {
  return {
    name,
    title,
    unit,
    ofAll: (verdicts) => {
      const parts = verdicts.map((verdict) => partsOf(verdict, name));
      return parts.reduce((all, [sum]) => all + sum, 0) / parts.reduce((all, [, count]) => all + count, 0);
    },
    counts: (verdict) => partsOf(verdict, name)[1] > 0,
  };
}

/** Makes the sum and the count that `turnMean` adds up. */
export function turnParts(values: readonly (number | null)[]): readonly [sum: number, count: number] {
  const known = values.filter((value) => value !== null);
  return [known.reduce((sum, value) => sum + value, 0), known.length];
}

function partsOf({ parts }: Verdict, name: string): readonly [number, number] {
  const [sum = 0, count = 0] = parts?.[name] ?? [];
  return [sum, count];
}
