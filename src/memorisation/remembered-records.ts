import { bootstrap, bootstrapMean, type Interval } from "../evaluation/metrics/bootstrap.ts";
import { ngramOverlap } from "../evaluation/metrics/ngram-overlap.ts";
import type { Params } from "../tensor/params.ts";
import type { RandomStream } from "../tensor/random.ts";
import type { Decoder } from "../decode/decoder.ts";
import type { Example, TrainingItem } from "../data/example.ts";
import { greedyTokens, type GreedyOptions } from "../decode/greedy.ts";

/** A record as question and answer, tokens; the answer without the token that ends it. */
export interface Answered {
  readonly prompt: Int32Array;
  readonly answer: Int32Array;
}

/** The first answer that training is on: of a pair the chosen one, of rated answers those that are wanted. */
export function answeredOf(items: readonly TrainingItem[], stopTokens: ReadonlySet<number>): Answered[] {
  return items.flatMap((item) => {
    if ("chosen" in item) return firstAnswer(item.chosen, stopTokens);
    if ("answer" in item) return item.desirable ? firstAnswer(item.answer, stopTokens) : [];
    return firstAnswer(item, stopTokens);
  });
}

function firstAnswer({ tokens, supervised }: Example, stopTokens: ReadonlySet<number>): Answered[] {
  const start = supervised.indexOf(1);
  let end = start;
  while (supervised[end] === 1 && !stopTokens.has(tokens[end]!)) end++;
  return end <= start ? [] : [{ prompt: tokens.slice(0, start), answer: tokens.slice(start, end) }];
}

/** Some of a list, in its order. */
export function sampleOf<T>(list: readonly T[], most: number, random: RandomStream): readonly T[] {
  return most >= list.length ? list : random.sample(list.length, most).map((i) => list[i]!);
}

export interface Recall {
  readonly prefixTokens: number;
  readonly suffixTokens: number;
}

/** Whether an answer is long enough to be asked for. */
export function isLongEnough({ answer }: Answered, { prefixTokens, suffixTokens }: Recall): boolean {
  return answer.length >= prefixTokens + suffixTokens;
}

/**
 * Which records can be extracted (Carlini et al. 2023, "Quantifying Memorization", definition 3.1): given the question and the
 * first `prefixTokens` of the answer, the greedy continuation is the next `suffixTokens` word by word.
 */
export async function extractedOf(
  decoder: Decoder,
  adapter: Params,
  records: readonly Answered[],
  { prefixTokens, suffixTokens }: Recall,
  options: Omit<GreedyOptions, "maxNewTokens">,
): Promise<boolean[]> {
  const prompts = records.map(({ prompt, answer }) =>
    Int32Array.from([...prompt, ...answer.subarray(0, prefixTokens)]),
  );
  const got = await greedyTokens(decoder, adapter, prompts, { ...options, maxNewTokens: suffixTokens });
  return records.map(({ answer }, i) => {
    const wanted = answer.subarray(prefixTokens, prefixTokens + suffixTokens);
    return wanted.length === got[i]!.length && wanted.every((token, k) => token === got[i]![k]);
  });
}

/** What one generated answer has in common with the answers of a client. */
export interface Copied {
  readonly ngrams: number;
  readonly inTraining: number;
  /** Undefined where nothing is held out. */
  readonly inHeldOut: number | undefined;
  /** The longest run of tokens that also stands in a training answer. */
  readonly longestRun: readonly number[];
}

/** Compares greedy answers to the questions of `asked` with training and held-out answers. */
export async function copiedOf(
  decoder: Decoder,
  adapter: Params,
  asked: readonly Answered[],
  sources: { readonly train: readonly Answered[]; readonly heldOut: readonly Answered[] },
  ngramTokens: number,
  options: GreedyOptions,
): Promise<Copied[]> {
  const prompts = asked.map(({ prompt }) => prompt);
  const train = sources.train.map(({ answer }) => answer);
  const heldOut = sources.heldOut.map(({ answer }) => answer);
  return (await greedyTokens(decoder, adapter, prompts, options)).map((text) => {
    const { ngrams, shared, longestRun, longestRunEnd } = ngramOverlap(text, train, ngramTokens);
    return {
      ngrams,
      inTraining: shared,
      inHeldOut: heldOut.length === 0 ? undefined : ngramOverlap(text, heldOut, ngramTokens).shared,
      longestRun: text.slice(longestRunEnd - longestRun, longestRunEnd),
    };
  });
}

/** Share of `true`; undefined for none. */
export function shareOf(found: readonly boolean[], seed: number): Interval | undefined {
  if (found.length === 0) return undefined;
  return bootstrapMean(
    found.map((each) => (each ? 1 : 0)),
    { seed },
  );
}

/** Share of all generated n-grams, answers drawn anew; undefined where no answer has one, or nothing is held out. */
export function overlapOf(
  copied: readonly Copied[],
  shared: (copied: Copied) => number | undefined,
  seed: number,
): Interval | undefined {
  const counted = copied.filter((each) => each.ngrams > 0 && shared(each) !== undefined);
  if (counted.length === 0) return undefined;
  const sum = (sample: readonly Copied[], value: (each: Copied) => number): number =>
    sample.reduce((total, each) => total + value(each), 0);
  return bootstrap(counted, (sample) => sum(sample, (each) => shared(each)!) / sum(sample, (each) => each.ngrams), {
    seed,
  });
}
