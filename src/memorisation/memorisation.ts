import type { Interval } from "../evaluation/metrics/bootstrap.ts";
import { type LoraShape, shapeKey } from "../model/lora.ts";
import type { Params } from "../tensor/params.ts";
import { stream } from "../tensor/random.ts";
import { type Decoder, openDecoder } from "../decode/decoder.ts";
import type { Runtime } from "../train/runtime.ts";
import { type CanaryScore, type CanarySummary, rankCanary, summariseCanaries } from "./canary-scores.ts";
import { type Prepared, type PreparedClient, stopTokens } from "../experiment/prepare.ts";
import {
  answeredOf,
  type Copied,
  copiedOf,
  extractedOf,
  isLongEnough,
  overlapOf,
  sampleOf,
  shareOf,
} from "./remembered-records.ts";

/** An adapter, or one a client, that is asked what it remembers. */
export interface MeasuredAdapter {
  readonly name: string;
  /** What it is, for people. */
  readonly what: string;
  readonly lora: LoraShape;
  /** The one that answers for a client's records; undefined where there is none. */
  readonly of: (client: string) => Promise<Params | undefined>;
}

export interface MemorisationOptions {
  /** Training records, and held-out ones, that are drawn for each client at most. */
  readonly records: number;
  /** Tokens of a record's answer that are given. */
  readonly prefixTokens: number;
  /** Tokens that have to follow them as in the record. */
  readonly suffixTokens: number;
  /** n of the n-grams, tokens. */
  readonly ngramTokens: number;
  /** Longest generated answer. */
  readonly maxNewTokens: number;
  /** Other secrets a canary's is ranked among at most, drawn by the seed where there are more. */
  readonly candidates: number;
}

export interface MemorisationHooks {
  readonly onProgress?: (message: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** What an adapter gives away of a client's own records. */
export interface RecordsSummary {
  /** null: all clients together. */
  readonly client: string | null;
  readonly adapter: string;
  /** Share of the records whose suffix came out word by word; absent where none is long enough. */
  readonly trainExtracted: Interval | undefined;
  readonly heldOutExtracted: Interval | undefined;
  /** Share of the generated n-grams that stand in the client's training and held-out answers. */
  readonly trainOverlap: Interval | undefined;
  readonly heldOutOverlap: Interval | undefined;
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

/** What one adapter made of one client's records, before it is summed up. */
interface Asked {
  readonly trainExtracted: readonly boolean[];
  readonly heldOutExtracted: readonly boolean[];
  readonly copied: readonly Copied[];
}

/**
 * Measures what adapters remember of the clients' training records: how exposed the planted canaries are, how many records
 * can be extracted, and how much of generated answers is copied. Everything drawn follows from the run's seed, and is the
 * same for each adapter.
 */
export async function measureMemorisation(
  prepared: Prepared,
  runtime: Runtime,
  adapters: readonly MeasuredAdapter[],
  options: MemorisationOptions,
  { onProgress, signal }: MemorisationHooks = {},
): Promise<Memorisation> {
  const { config, clients, canaries } = prepared;
  const decoders = openDecoders(prepared, runtime);
  try {
    const answering = async (client: string) => {
      const list = [];
      for (const { name, lora, of } of adapters) {
        const params = await of(client);
        if (params !== undefined) list.push({ name, params, decoder: await decoders.get(lora) });
      }
      return list;
    };
    const canaryScores: CanaryScore[] = [];
    for (const [i, canary] of canaries.entries()) {
      onProgress?.(`canary ${i + 1} of ${canaries.length}, of ${canary.client}`);
      canaryScores.push(
        ...(await rankCanary(canary, await answering(canary.client), { prepared, signal, ...options })),
      );
    }
    const asked = new Map<string, Map<string, Asked>>(adapters.map(({ name }) => [name, new Map()]));
    for (const [i, client] of clients.entries()) {
      for (const { name, params, decoder } of await answering(client.name)) {
        onProgress?.(`records of ${client.name}, client ${i + 1} of ${clients.length}: ${name}`);
        asked.get(name)!.set(client.name, await ask(client, prepared, decoder, params, options, signal));
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
    await decoders.dispose();
  }
}

async function ask(
  { name, train, heldOut }: PreparedClient,
  { config, model, tokenizer, canaries, common }: Prepared,
  decoder: Decoder,
  adapter: Params,
  options: MemorisationOptions,
  signal: AbortSignal | undefined,
): Promise<Asked> {
  const stops = stopTokens(model, tokenizer);
  const planted = canaries.reduce((sum, { client, copies }) => sum + (client === name ? copies : 0), 0);
  const own = answeredOf(train.slice(0, train.length - planted), stops);
  // A client that holds nothing out is compared with what nobody trains on.
  const kept = answeredOf((heldOut.items.length > 0 ? heldOut : common).items, stops);
  const drawn = <T>(list: readonly T[], what: string): readonly T[] =>
    sampleOf(list, options.records, stream(config.seed, "memorisation", what, name));
  const long = (list: typeof own): typeof own => list.filter((each) => isLongEnough(each, options));
  const generation = { stopTokens: stops, signal };
  const recall = (list: typeof own, what: string) =>
    extractedOf(decoder, adapter, drawn(long(list), what), options, generation);
  return {
    trainExtracted: await recall(own, "train"),
    heldOutExtracted: await recall(kept, "held-out"),
    copied: await copiedOf(
      decoder,
      adapter,
      drawn(own, "questions"),
      { train: own, heldOut: kept },
      options.ngramTokens,
      { ...generation, maxNewTokens: options.maxNewTokens },
    ),
  };
}

function summariseRecords(
  asked: ReadonlyMap<string, ReadonlyMap<string, Asked>>,
  { config: { seed }, tokenizer, clients }: Prepared,
): RecordsSummary[] {
  const summary = (client: string | null, adapter: string, some: readonly Asked[]): RecordsSummary => {
    const copied = some.flatMap((each) => each.copied);
    const run = copied.reduce<readonly number[]>(
      (longest, { longestRun }) => (longestRun.length > longest.length ? longestRun : longest),
      [],
    );
    return {
      client,
      adapter,
      trainExtracted: shareOf(
        some.flatMap(({ trainExtracted }) => trainExtracted),
        seed,
      ),
      heldOutExtracted: shareOf(
        some.flatMap(({ heldOutExtracted }) => heldOutExtracted),
        seed,
      ),
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

/** A decoder for each shape of adapter, opened when it is needed. */
function openDecoders({ model, config }: Prepared, runtime: Runtime) {
  const open = new Map<string, Promise<Decoder>>();
  return {
    get(lora: LoraShape): Promise<Decoder> {
      const key = shapeKey(lora);
      const known = open.get(key);
      if (known !== undefined) return known;
      const opened = openDecoder({ runtime, ...model, lora, maxLength: config.data.maxLength });
      open.set(key, opened);
      return opened;
    },
    async dispose(): Promise<void> {
      for (const opened of open.values()) await (await opened.catch(() => undefined))?.dispose();
    },
  };
}
