import { type Estimate, estimateOf, proportion } from "../evaluation/metrics/estimate.ts";
import { ngramOverlap } from "../evaluation/metrics/ngram-overlap.ts";
import type { Example } from "../data/example.ts";
import { kindOf, type TrainingItem } from "../data/items/registry.ts";
import type { TextGenerator } from "../decode/text-generator.ts";

/** A record as question and answer, tokens; the answer without the token that ends it. */
export interface Answered {
  readonly prompt: Int32Array;
  readonly answer: Int32Array;
}

/** Finds the first answer of each training item: of a pair the chosen one, of rated answers the desirable ones. */
export function answeredOf(items: readonly TrainingItem[], stopTokens: ReadonlySet<number>): Answered[] {
  return items.flatMap((item) => {
    const wanted = kindOf(item).wantedAnswer(item);
    return wanted === undefined ? [] : firstAnswer(wanted, stopTokens);
  });
}

function firstAnswer({ tokens, supervised }: Example, stopTokens: ReadonlySet<number>): Answered[] {
  const start = supervised.indexOf(1);
  let end = start;
  while (supervised[end] === 1 && !stopTokens.has(tokens[end]!)) end++;
  return end <= start ? [] : [{ prompt: tokens.slice(0, start), answer: tokens.slice(start, end) }];
}

/** The lengths of an extraction. */
export interface Recall {
  /** Tokens of a record's answer that are given. */
  readonly prefixTokens: number;
  /** Tokens that have to follow them as in the record. */
  readonly suffixTokens: number;
}

export interface AnsweringHooks {
  /** Called when an answer is complete. */
  readonly onAnswer?: (() => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Tells if an answer is long enough for an extraction. */
export function isLongEnough({ answer }: Answered, { prefixTokens, suffixTokens }: Recall): boolean {
  return answer.length >= prefixTokens + suffixTokens;
}

/**
 * Tells which records can be extracted (Carlini et al. 2023, "Quantifying Memorization", definition 3.1): given the question and the
 * first `prefixTokens` of the answer, the greedy continuation is the next `suffixTokens` word by word.
 */
export async function extractedOf(
  generator: TextGenerator,
  records: readonly Answered[],
  { prefixTokens, suffixTokens, signal, onAnswer }: Recall & AnsweringHooks,
): Promise<boolean[]> {
  const prompts = records.map(({ prompt, answer }) =>
    Int32Array.from([...prompt, ...answer.subarray(0, prefixTokens)]),
  );
  const got = await generator.greedyTokens(prompts, { maxNewTokens: suffixTokens, signal, onAnswer });
  return records.map(({ answer }, i) => {
    const wanted = answer.subarray(prefixTokens, prefixTokens + suffixTokens);
    return wanted.length === got[i]!.length && wanted.every((token, k) => token === got[i]![k]);
  });
}

/** The overlap of one generated answer with the answers of a client. */
export interface Copied {
  readonly ngrams: number;
  readonly inTraining: number;
  /** Undefined where nothing is held out. */
  readonly inHeldOut: number | undefined;
  /** The longest run of tokens that also stands in a training answer. */
  readonly longestRun: readonly number[];
}

/** The answers to compare generated ones with, and the settings of the comparison. */
export interface Copying {
  readonly train: readonly Answered[];
  readonly heldOut: readonly Answered[];
  /** n of the n-grams, tokens. */
  readonly ngramTokens: number;
  /** Longest generated answer. */
  readonly maxNewTokens: number;
}

/** Compares greedy answers to the questions of records with training and held-out answers. */
export async function copiedOf(
  generator: TextGenerator,
  records: readonly Answered[],
  { ngramTokens, maxNewTokens, signal, onAnswer, ...sources }: Copying & AnsweringHooks,
): Promise<Copied[]> {
  const prompts = records.map(({ prompt }) => prompt);
  const train = sources.train.map(({ answer }) => answer);
  const heldOut = sources.heldOut.map(({ answer }) => answer);
  return (await generator.greedyTokens(prompts, { maxNewTokens, signal, onAnswer })).map((text) => {
    const { ngrams, shared, longestRun, longestRunEnd } = ngramOverlap(text, train, ngramTokens);
    return {
      ngrams,
      inTraining: shared,
      inHeldOut: heldOut.length === 0 ? undefined : ngramOverlap(text, heldOut, ngramTokens).shared,
      longestRun: text.slice(longestRunEnd - longestRun, longestRunEnd),
    };
  });
}

/** Computes the share of `true`; undefined for an empty list. */
export function shareOf(found: readonly boolean[]): Estimate | undefined {
  return found.length === 0 ? undefined : proportion(found.filter(Boolean).length, found.length);
}

/** Computes the share of all generated n-grams, with a bootstrap over answers; undefined where no answer has one, or nothing is held out. */
export function overlapOf(
  copied: readonly Copied[],
  shared: (copied: Copied) => number | undefined,
  seed: number,
): Estimate | undefined {
  const counted = copied.filter((each) => each.ngrams > 0 && shared(each) !== undefined);
  if (counted.length === 0) return undefined;
  const sum = (sample: readonly Copied[], value: (each: Copied) => number): number =>
    sample.reduce((total, each) => total + value(each), 0);
  return estimateOf(counted, (sample) => sum(sample, (each) => shared(each)!) / sum(sample, (each) => each.ngrams), {
    seed,
  });
}
