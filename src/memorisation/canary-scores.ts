import { type Canary, otherSecrets, recordsOf } from "../data/canaries.ts";
import type { AnswerContent, DataRecord } from "../data/record.ts";
import { contextOf } from "../data/tokens.ts";
import { type Estimate, estimateMean, proportion } from "../evaluation/metrics/estimate.ts";
import { exposureOf } from "../evaluation/metrics/exposure.ts";
import type { TextGenerator } from "../decode/text-generator.ts";
import type { Prepared } from "../experiment/prepare.ts";

/** The exposure of one canary with one adapter. */
export interface CanaryScore {
  readonly client: string;
  /** Number of the canary among the client's. */
  readonly canary: number;
  /** Number of times that the client's records held it. */
  readonly copies: number;
  readonly adapter: string;
  readonly question: string;
  readonly secret: string;
  /** Exposure, bits. */
  readonly bits: number;
  /** Rank of the secret among the candidates, which include it. */
  readonly rank: number;
  readonly candidates: number;
  /** True where the greedy answer to the question holds the secret as a number by itself. */
  readonly extracted: boolean;
  readonly answer: string;
}

export interface CanarySummary {
  /** null: all clients together. */
  readonly client: string | null;
  readonly copies: number;
  readonly adapter: string;
  readonly canaries: number;
  /** Mean exposure. */
  readonly bits: Estimate;
  readonly extracted: Estimate;
}

/** A canary as tokens: the prompt before the secret, and the candidates for its place. */
interface Candidates {
  readonly prompt: Int32Array;
  readonly own: readonly number[];
  readonly others: readonly (readonly number[])[];
}

/** An answer may have a few more words before the secret than the training record. */
const SPARE_TOKENS = 16;

export interface CanaryWork {
  readonly prepared: Prepared;
  /** Largest number of other secrets to rank the canary's secret among. */
  readonly candidates: number;
  readonly signal?: AbortSignal | undefined;
}

/** Ranks the secret of one canary with each adapter in turn. */
export async function rankCanary(
  canary: Canary,
  adapters: readonly { readonly name: string; readonly generator: TextGenerator }[],
  { prepared, candidates, signal }: CanaryWork,
): Promise<CanaryScore[]> {
  const { tokenizer } = prepared;
  const { prompt, own, others } = candidatesOf(canary, candidates, prepared);
  const maxNewTokens = tokenizer.encode(canary.lead + canary.secret).length + SPARE_TOKENS;
  const scores: CanaryScore[] = [];
  for (const { name, generator } of adapters) {
    const continuations = [own, ...others];
    const [first, ...rest] = await generator.scoreContinuations({ prompt, continuations, signal });
    const { bits, rank } = exposureOf(first!, rest);
    const asked = generator.encode([{ role: "user", content: canary.question }]);
    const [tokens] = await generator.greedyTokens([asked], { maxNewTokens, signal });
    const answer = tokenizer.decode(tokens!, { skipSpecial: true }).trim();
    scores.push({
      client: canary.client,
      canary: canary.index,
      copies: canary.copies,
      adapter: name,
      question: canary.question,
      secret: canary.secret,
      bits,
      rank,
      candidates: 1 + others.length,
      extracted: tells(answer, canary.secret),
      answer,
    });
  }
  return scores;
}

/**
 * Tells if an answer holds a secret as a number by itself: not inside a longer number, and not as a part of a date, a time, a
 * decimal or a range, where a short secret stands by chance.
 */
export function tells(answer: string, secret: string): boolean {
  return new RegExp(String.raw`(?<!\p{Nd}|\p{Nd}[.,:/\u2013-])${secret}(?!\p{Nd}|[.,:/\u2013-]\p{Nd})`, "u").test(
    answer,
  );
}

/**
 * Tokenises each candidate in its place, because a tokenizer may join its first digit to the space before it. The common first
 * tokens are the prompt.
 */
function candidatesOf(canary: Canary, candidates: number, { tokenizer, template, config }: Prepared): Candidates {
  const [record] = recordsOf({ ...canary, copies: 1 }) as DataRecord<AnswerContent>[];
  const { text, spans } = template.render(record!, contextOf(tokenizer, config.data));
  const start = text.indexOf(canary.lead, spans.at(-1)!.start);
  const before = text.slice(0, start + canary.lead.length);
  if (start < 0 || !text.startsWith(canary.secret, before.length)) {
    throw new Error(`the template rewrites the answer of canary ${canary.index} of ${canary.client}`);
  }
  const prefix = template.addsSpecialTokens ? tokenizer.prefix : [];
  const whole = [canary.secret, ...otherSecrets(canary, candidates, config.seed)].map((secret) => [
    ...prefix,
    ...tokenizer.encode(before + secret),
  ]);
  const [first] = whole;
  let shared = first!.length;
  for (const ids of whole.slice(1)) {
    while (!first!.slice(0, shared).every((id, i) => id === ids[i])) shared--;
  }
  const [own, ...others] = whole.map((ids) => ids.slice(shared));
  return { prompt: Int32Array.from(first!.slice(0, shared)), own: own!, others };
}

/** Summarises by client, number of copies and adapter, in their order in `scores`. All clients together are last, where there are several. */
export function summariseCanaries(scores: readonly CanaryScore[], seed: number): CanarySummary[] {
  const clients = [...new Set(scores.map(({ client }) => client))];
  const adapters = [...new Set(scores.map(({ adapter }) => adapter))];
  const copies = [...new Set(scores.map((score) => score.copies))].sort((a, b) => a - b);
  const names = clients.length > 1 ? [...clients, null] : clients;
  return names.flatMap((client) =>
    copies.flatMap((count) =>
      adapters.flatMap((adapter): CanarySummary[] => {
        const some = scores.filter(
          (score) => score.copies === count && score.adapter === adapter && (client ?? score.client) === score.client,
        );
        if (some.length === 0) return [];
        const bits = estimateMean(
          some.map((score) => score.bits),
          { seed },
        );
        const extracted = proportion(some.filter((score) => score.extracted).length, some.length);
        return [{ client, copies: count, adapter, canaries: some.length, bits, extracted }];
      }),
    ),
  );
}
