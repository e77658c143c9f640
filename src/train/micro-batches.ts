import type { Example } from "../data/example.ts";
import { type RuntimeTensor, vector } from "./runtime.ts";

/**
 * Splits the items of one step into groups of indices. An item is the list of sequences that must run together. Items of
 * similar length come into one group. A group's padded size (sequences × longest) stays within `tokenBudget`, unless it is
 * one larger item, and so does its number of sequences within `mostSequences`. Gradients are summed over the groups, so the
 * split changes memory and speed, and the result only by rounding. Small groups keep the working set in the processor's
 * cache.
 */
export function microBatches(
  items: readonly (readonly Example[])[],
  tokenBudget: number,
  mostSequences: number = Number.POSITIVE_INFINITY,
): number[][] {
  const longest = items.map((sequences) => Math.max(...sequences.map(({ tokens }) => tokens.length)));
  const groups: number[][] = [];
  let sequences = 0;
  for (const i of items.map((_, index) => index).sort((a, b) => longest[b]! - longest[a]!)) {
    const group = groups.at(-1);
    sequences += items[i]!.length;
    const fits = group !== undefined && longest[group[0]!]! * sequences <= tokenBudget && sequences <= mostSequences;
    if (fits) group.push(i);
    else {
      groups.push([i]);
      sequences = items[i]!.length;
    }
  }
  return groups;
}

/** A group of examples as tensors, padded on the right. */
export interface PaddedBatch {
  /** int64 [batch, length] */
  readonly ids: RuntimeTensor;
  /** int64 [rows]: flattened positions before each supervised token, example by example. */
  readonly rows: RuntimeTensor;
  /** int64 [rows]: the supervised tokens. */
  readonly labels: RuntimeTensor;
  /** Supervised tokens of each example, in order. */
  readonly counts: readonly number[];
}

export function padBatch(examples: readonly Example[], minimumLength: number): PaddedBatch {
  const length = Math.max(minimumLength, ...examples.map((example) => example.tokens.length));
  const ids = new BigInt64Array(examples.length * length);
  const rows: bigint[] = [];
  const labels: bigint[] = [];
  const counts = examples.map((example, b) => {
    const before = rows.length;
    example.tokens.forEach((token, i) => {
      ids[b * length + i] = BigInt(token);
      if (i > 0 && example.supervised[i] === 1) {
        rows.push(BigInt(b * length + i - 1));
        labels.push(BigInt(token));
      }
    });
    return rows.length - before;
  });
  return {
    ids: { shape: [examples.length, length], data: ids },
    rows: vector(BigInt64Array.from(rows)),
    labels: vector(BigInt64Array.from(labels)),
    counts,
  };
}

/** Counts the tokens of an example that count in a loss. */
export function supervisedTokens(example: Example): number {
  let count = 0;
  for (let i = 1; i < example.supervised.length; i++) count += example.supervised[i]!;
  return count;
}
