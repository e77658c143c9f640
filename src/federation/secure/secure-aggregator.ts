import type { UpdateGroups } from "../../algorithms/algorithm.ts";
import { addWords, newWords } from "../../secagg/mask.ts";
import type { SecureRules } from "../../secagg/rules.ts";
import { type Opened, unmaskSum } from "../../secagg/unmask.ts";
import { keySegment, type Store } from "../../store/store.ts";
import type { Groups } from "../../tensor/groups.ts";
import type { Params } from "../../tensor/params.ts";
import type { AggregationContext, Aggregator, Updates } from "../../updates/aggregator.ts";
import type { Stage } from "../../updates/stage.ts";
import { decodeChange, wireShape } from "../../updates/wire.ts";
import { readSubmission } from "../decision.ts";
import { readMessage } from "../protocol/cells.ts";
import { keys } from "../protocol/keys.ts";
import { roundOpening } from "../protocol/messages.ts";
import { fromWords, vectorLayout, wordsOf } from "./masked-vector.ts";
import { readPlayed, recoverRound } from "./played-round.ts";

export interface SecureAggregatorOptions {
  readonly store: Store;
  readonly rules: SecureRules;
  /** The identity of the run. */
  readonly run: string;
  readonly stages: readonly Stage[];
  readonly seed: number;
  /** Combines the means of buckets, where the rules have such. Default: there is one mean. */
  readonly ofBuckets?: Aggregator | undefined;
}

type Entries = Updates["entries"];

/**
 * The weighted mean of masked updates. It adds them as integers, one in memory at a time, and takes the masks out of the sum. So
 * it never has an update of one client. All it needs lies in the cells of the round. With buckets it opens the sum of each, and
 * another aggregator combines their means, which are in memory.
 */
export function secureAggregator(options: SecureAggregatorOptions): Aggregator {
  const { rules, ofBuckets } = options;
  return {
    name: "secure",
    weighted: true,
    on: "delta",
    async combine(groups, { entries }, context) {
      const { parts, meanOf } = await openedRound(options, groups, context);
      if (rules.buckets === undefined || ofBuckets === undefined) return meanOf(entries);
      const members = parts.map((part) => entries.filter(({ client }) => part.includes(keySegment(client))));
      const means: Groups[] = [];
      for (const some of members) means.push(await meanOf(some));
      const buckets = members.map((some, i) => ({
        client: `bucket ${i + 1}`,
        records: some.reduce((sum, { records }) => sum + records, 0),
      }));
      return ofBuckets.combine(
        groups,
        { entries: buckets, read: async (place) => means[place]! },
        { ...context, clients: entries.length, report: toMembers(context, buckets, members) },
      );
    },
  };
}

/** Tells the part of a bucket as that of each client in it. */
function toMembers(
  { report }: AggregationContext,
  buckets: Entries,
  members: readonly Entries[],
): AggregationContext["report"] {
  return ({ client: bucket, ...part }) => {
    const place = buckets.findIndex(({ client }) => client === bucket);
    for (const { client } of members[place]!) report?.({ client, ...part });
  };
}

/** A round of which the sums can be opened: of all its clients, or of all those of a part. */
async function openedRound(
  { store, rules, run, stages, seed }: SecureAggregatorOptions,
  groups: UpdateGroups,
  { round, global }: { readonly round: number; readonly global: Params },
): Promise<{
  readonly parts: readonly (readonly string[])[];
  readonly meanOf: (entries: Entries) => Promise<Groups>;
}> {
  const opening = (await readMessage(store, keys.opening(round), roundOpening))!;
  const played = (await readPlayed(store, run, opening, rules))!;
  const { list, survivors, cohort, parties } = played;
  const place = { rules, clients: opening.clients.length, weightMax: list.weightMax };
  const layout = vectorLayout(groups, wireShape(groups, stages), place);
  const { opened } = await recoverRound(store, played, survivors.clients);
  return {
    parts: cohort.parts,
    async meanOf(entries) {
      const sum = newWords(rules.bits, layout.words);
      for (const { client } of entries) {
        const submitted = await readSubmission(store, round, client);
        if (submitted === undefined || "refused" in submitted)
          throw new Error(`${client} is in the sum without an update`);
        addWords(sum, wordsOf(await store.blob(submitted.update, client), rules.bits), 1);
      }
      const first = entries[0];
      const part = cohort.parts.find((each) => first !== undefined && each.includes(keySegment(first.client)));
      await unmaskSum(sum, cohort, parties, secretsOf(opened!, new Set(part)));
      const mean = fromWords(
        sum,
        layout,
        entries.map(({ records }) => records),
        // A bucket is planned with its part of the clients.
        rules.noise && rules.noise.divisor / cohort.parts.length,
      );
      // What a stage does for all clients alike is undone for their mean.
      return decodeChange(mean, groups, stages, { seed, round, client: "", received: global });
    },
  };
}

/** The secrets of the clients of a part: masks are between them alone. */
function secretsOf({ selfSeeds, maskSecrets }: Opened, part: ReadonlySet<string>): Opened {
  return {
    selfSeeds: new Map([...selfSeeds].filter(([client]) => part.has(client))),
    maskSecrets: new Map([...maskSecrets].filter(([client]) => part.has(client))),
  };
}
