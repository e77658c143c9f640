import { fromHex, toHex } from "../../secagg/bytes.ts";
import { type Cohort, publicCoins, type PublicKeys, roundSalt } from "../../secagg/cohort.ts";
import { circulantGraph, completeGraph, graphSize, shuffle } from "../../secagg/graph.ts";
import type { SecureRules } from "../../secagg/rules.ts";
import { encodeJson } from "../../store/codec.ts";
import { keySegment } from "../../store/store.ts";
import { sha256 } from "../../tensor/sha256.ts";
import type { RoundOpening } from "../protocol/messages.ts";
import type { KeyList, PublishedKeys } from "../protocol/secure-messages.ts";

/** sha256 of a message. Two parties that read the same cell have the same. */
export function hashOf(message: object): Promise<string> {
  return sha256(encodeJson(message));
}

/** The salt of the secrets that a client has before it knows who takes part. `run`: the identity of the run. */
export async function openingSalt(run: string, opening: RoundOpening) {
  return roundSalt(run, opening.round, await hashOf(opening));
}

export function toPublished(client: string, round: number, opening: string, keys: PublicKeys): PublishedKeys {
  const { channel, mask, selfHash, maskHash } = keys;
  const [a, b, c, d] = [channel, mask, selfHash, maskHash].map(toHex) as [string, string, string, string];
  return { round, client, opening, channel: a, mask: b, selfHash: c, maskHash: d };
}

/** The keys by client. */
export function keysOf(members: readonly PublishedKeys[]): Map<string, PublicKeys> {
  return new Map(
    members.map(({ client, channel, mask, selfHash, maskHash }) => [
      keySegment(client),
      {
        channel: fromHex(channel),
        mask: fromHex(mask),
        selfHash: fromHex(selfHash),
        maskHash: fromHex(maskHash),
      },
    ]),
  );
}

/**
 * The cohort of a round, as every party works it out. Its clients are named by their segments of keys. The graph is drawn by
 * coins that are fixed once all keys are: the coordinator chooses no neighbours.
 *
 * @throws UserError of kind `config` for a graph that cannot be
 */
export async function cohortOf(run: string, opening: RoundOpening, list: KeyList, rules: SecureRules): Promise<Cohort> {
  const { round } = opening;
  const keys = keysOf(list.members.map((member) => member.keys));
  const names = [...keys.keys()].sort();
  const coins = await publicCoins(await openingSalt(run, opening), keys);
  const parts = rules.buckets === undefined ? [names] : dealt(await shuffle(names, coins), rules.buckets);
  // The first part is the largest: with its threshold less than half of the holders open nobody in any.
  const { neighbours, threshold } = graphSize(parts[0]!.length, rules);
  const graphs = parts.map(async (part) =>
    neighbours >= part.length - 1
      ? completeGraph(part)
      : circulantGraph(rules.buckets === undefined ? await shuffle(part, coins) : part, neighbours),
  );
  const graph = new Map((await Promise.all(graphs)).flatMap((each) => [...each]));
  const salt = await roundSalt(run, round, await hashOf(opening), await hashOf(list));
  return { run, round, salt, keys, graph, threshold, parts };
}

/** Deals clients to parts of nearly one size, the larger first. */
function dealt(order: readonly string[], count: number): string[][] {
  const end = (part: number): number => part * Math.floor(order.length / count) + Math.min(part, order.length % count);
  return Array.from({ length: Math.min(count, order.length) }, (_, i) => order.slice(end(i), end(i + 1)));
}

/** Fewest clients that a phase may go on with: so many in each part. */
export function fewestClients({ threshold, parts }: Pick<Cohort, "threshold" | "parts">, rules: SecureRules): number {
  return parts.length * fewestInPart(threshold, rules);
}

function fewestInPart(threshold: number, { minCohort }: SecureRules): number {
  return Math.max(3, minCohort, threshold);
}

/** How a part of the cohort is too small for its sum to be opened, in words; undefined where none is. */
export function problemWithParts(
  { threshold, parts }: Pick<Cohort, "threshold" | "parts">,
  rules: SecureRules,
  present: ReadonlySet<string>,
): string | undefined {
  const fewest = fewestInPart(threshold, rules);
  const sizes = parts.map((part) => part.filter((client) => present.has(client)).length);
  const size = sizes.find((each) => each < fewest);
  if (size === undefined) return undefined;
  return `${parts.length === 1 ? "the round" : "a bucket of the round"} has ${size} clients left, expected ${fewest} or more`;
}

/** Clients of which fewer than `threshold` holders are among `present`: their secrets could not be rebuilt. */
export function beyondRecovery(
  { graph, threshold }: Cohort,
  clients: Iterable<string>,
  present: ReadonlySet<string>,
): string[] {
  return [...clients].filter((client) => {
    const holders = graph.get(client)!.filter((other) => present.has(other)).length + (present.has(client) ? 1 : 0);
    return holders < threshold;
  });
}
