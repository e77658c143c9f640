import type { OnCount } from "../concurrency/counted-work.ts";
import type { Estimate } from "../evaluation/metrics/estimate.ts";
import type { TextGenerator } from "../decode/text-generator.ts";
import { openInference } from "../experiment/inference.ts";
import type { Prepared, PreparedClient } from "../experiment/prepare.ts";
import type { Adapter } from "../model/adapter.ts";
import { sampleOf, stream } from "../tensor/random.ts";
import type { Runtime } from "../train/runtime.ts";
import { type CanaryScore, type CanarySummary, rankCanary, summariseCanaries } from "./canary-scores.ts";
import {
  answeredOf,
  type Copied,
  copiedOf,
  extractedOf,
  isLongEnough,
  overlapOf,
  type Recall,
  shareOf,
} from "./remembered-records.ts";

/** An adapter that is measured, or one of each client under one name. */
export interface MeasuredAdapter {
  readonly name: string;
  /** A description for people. */
  readonly what: string;
  /** Gives the adapter that answers for a client's records; undefined where there is none. */
  readonly of: (client: string) => Promise<Adapter | undefined>;
}

export interface MemorisationOptions extends Recall {
  /** Largest number of training records, and of held-out ones, that are drawn for each client. */
  readonly records: number;
  /** n of the n-grams, tokens. */
  readonly ngramTokens: number;
  /** Longest generated answer. */
  readonly maxNewTokens: number;
  /** Largest number of other secrets to rank a canary's secret among, drawn by the seed. */
  readonly candidates: number;
}

export interface MemorisationHooks {
  readonly onCount?: OnCount | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The part of a client's own records that comes out of an adapter. */
export interface RecordsSummary {
  /** null: all clients together. */
  readonly client: string | null;
  readonly adapter: string;
  /** Share of the records whose suffix came out word by word; absent where none is long enough. */
  readonly trainExtracted: Estimate | undefined;
  readonly heldOutExtracted: Estimate | undefined;
  /** Share of the generated n-grams that stand in the client's training and held-out answers. */
  readonly trainOverlap: Estimate | undefined;
  readonly heldOutOverlap: Estimate | undefined;
  /** The longest run of tokens that a generated answer has in common with a training answer of the client. */
  readonly longestRun: { readonly tokens: number; readonly text: string };
}

export interface Memorisation {
  readonly options: MemorisationOptions;
  readonly adapters: readonly { readonly name: string; readonly what: string }[];
  readonly canaries: readonly CanarySummary[];
  readonly records: readonly RecordsSummary[];
  /** Every canary with every adapter. */
  readonly canaryScores: readonly CanaryScore[];
}

/** The answers of one adapter about one client's records, before they are summed up. */
interface RecordAnswers {
  readonly trainExtracted: readonly boolean[];
  readonly heldOutExtracted: readonly boolean[];
  readonly copied: readonly Copied[];
}

/**
 * Measures the memory that adapters have of the clients' training records: the exposure of the planted canaries, the share of
 * records that can be extracted, and the share of generated answers that is copied. All draws depend on the run's seed only, and are the
 * same for each adapter.
 */
export async function measureMemorisation(
  prepared: Prepared,
  { runtime, adapters }: { readonly runtime: Runtime; readonly adapters: readonly MeasuredAdapter[] },
  options: MemorisationOptions,
  { onCount, signal }: MemorisationHooks = {},
): Promise<Memorisation> {
  const { config, clients, canaries } = prepared;
  const engine = openInference(prepared, runtime);
  try {
    const answering = async (client: string) => {
      const list = [];
      for (const { name, of } of adapters) {
        const adapter = await of(client);
        if (adapter !== undefined) list.push({ name, generator: await engine.withAdapter(adapter) });
      }
      return list;
    };
    const canaryScores: CanaryScore[] = [];
    for (const [i, canary] of canaries.entries()) {
      onCount?.({ what: "ranking canaries", unit: "canaries", done: i, of: canaries.length });
      canaryScores.push(
        ...(await rankCanary(canary, await answering(canary.client), { prepared, signal, ...options })),
      );
    }
    const asked = new Map<string, Map<string, RecordAnswers>>(adapters.map(({ name }) => [name, new Map()]));
    for (const [i, client] of clients.entries()) {
      for (const { name, generator } of await answering(client.name)) {
        const what = `records of ${client.name}, client ${i + 1} of ${clients.length}, ${name}`;
        const counted = (done: number, of: number): void => onCount?.({ what, unit: "answers", done, of });
        asked.get(name)!.set(client.name, await ask(generator, client, prepared, { ...options, signal }, counted));
      }
    }
    return {
      options,
      adapters: adapters.map(({ name, what }) => ({ name, what })),
      canaries: summariseCanaries(canaryScores, config.seed),
      records: summariseRecords(asked, prepared),
      canaryScores,
    };
  } finally {
    await engine.dispose();
  }
}

async function ask(
  generator: TextGenerator,
  { name, train, heldOut }: PreparedClient,
  { config, canaries, common }: Prepared,
  options: MemorisationOptions & Pick<MemorisationHooks, "signal">,
  counted: (done: number, of: number) => void,
): Promise<RecordAnswers> {
  const { stopTokens } = generator;
  const planted = canaries.reduce((sum, { client, copies }) => sum + (client === name ? copies : 0), 0);
  const own = answeredOf(train.slice(0, train.length - planted), stopTokens);
  // A client without held-out records is compared with the common ones, which no client trains on.
  const kept = answeredOf((heldOut.items.length > 0 ? heldOut : common).items, stopTokens);
  const drawn = <T>(list: readonly T[], what: string): readonly T[] =>
    sampleOf(list, options.records, stream(config.seed, "memorisation", what, name));
  const long = (list: typeof own): typeof own => list.filter((each) => isLongEnough(each, options));
  const [trained, held, questions] = [
    drawn(long(own), "train"),
    drawn(long(kept), "held-out"),
    drawn(own, "questions"),
  ];
  let done = 0;
  const all = trained.length + held.length + questions.length;
  const work = { ...options, onAnswer: () => counted(++done, all) };
  return {
    trainExtracted: await extractedOf(generator, trained, work),
    heldOutExtracted: await extractedOf(generator, held, work),
    copied: await copiedOf(generator, questions, { ...work, train: own, heldOut: kept }),
  };
}

function summariseRecords(
  asked: ReadonlyMap<string, ReadonlyMap<string, RecordAnswers>>,
  { config: { seed }, tokenizer, clients }: Prepared,
): RecordsSummary[] {
  const summary = (client: string | null, adapter: string, some: readonly RecordAnswers[]): RecordsSummary => {
    const copied = some.flatMap((each) => each.copied);
    const run = copied.reduce<readonly number[]>(
      (longest, { longestRun }) => (longestRun.length > longest.length ? longestRun : longest),
      [],
    );
    return {
      client,
      adapter,
      trainExtracted: shareOf(some.flatMap(({ trainExtracted }) => trainExtracted)),
      heldOutExtracted: shareOf(some.flatMap(({ heldOutExtracted }) => heldOutExtracted)),
      trainOverlap: overlapOf(copied, ({ inTraining }) => inTraining, seed),
      heldOutOverlap: overlapOf(copied, ({ inHeldOut }) => inHeldOut, seed),
      longestRun: { tokens: run.length, text: tokenizer.decode(run) },
    };
  };
  const byClient = clients.flatMap(({ name }) =>
    [...asked].flatMap(([adapter, found]) => {
      const own = found.get(name);
      return own === undefined ? [] : [summary(name, adapter, [own])];
    }),
  );
  if (clients.length === 1) return byClient;
  const together = [...asked].filter(([, found]) => found.size > 0);
  return [...byClient, ...together.map(([adapter, found]) => summary(null, adapter, [...found.values()]))];
}
