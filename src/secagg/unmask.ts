import { publicKeyOf } from "./agreement.ts";
import { type Bytes, equalBytes, sha256Bytes } from "./bytes.ts";
import type { Cohort } from "./cohort.ts";
import { holdersOf } from "./graph.ts";
import { addMask, pairSeed, pairSign, type Words } from "./mask.ts";
import { recover, type Share } from "./shamir.ts";

/** A holder's answer: of each client a share of one of its secrets, never of both. */
export interface Answer {
  /** By survivor: the share of the seed of its own mask. */
  readonly self: ReadonlyMap<string, Bytes>;
  /** By lost client: the share of its mask secret. */
  readonly mask: ReadonlyMap<string, Bytes>;
}

/** The clients whose masks are in a sum. */
export interface Parties {
  /** Clients whose shares were sent on: masks towards them were made. */
  readonly sharers: ReadonlySet<string>;
  /** Clients whose vectors are in the sum; a part of `sharers`. */
  readonly survivors: ReadonlySet<string>;
}

/** The secrets that take the masks out of a sum. */
export interface Opened {
  readonly selfSeeds: ReadonlyMap<string, Bytes>;
  readonly maskSecrets: ReadonlyMap<string, Bytes>;
}

export interface Recovery {
  /** Undefined where shares of some client are too few, or do not fit. */
  readonly opened: Opened | undefined;
  /** Clients whose secret is still closed. */
  readonly closed: readonly string[];
  /** Clients that gave a share, or published a hash, that does not fit. */
  readonly wrong: readonly string[];
}

/** Rebuilds the secrets that a sum needs from the answers of holders. It costs nothing of the vectors' size. */
export async function recoverSecrets(
  cohort: Cohort,
  parties: Parties,
  answers: ReadonlyMap<string, Answer>,
): Promise<Recovery> {
  const selfSeeds = new Map<string, Bytes>();
  const maskSecrets = new Map<string, Bytes>();
  const closed: string[] = [];
  const wrong = new Set<string>();
  for (const client of [...parties.sharers].sort()) {
    const survives = parties.survivors.has(client);
    const { mask, maskHash, selfHash } = cohort.keys.get(client)!;
    const holders = holdersOf(cohort.graph, client);
    const shares: Share[] = [];
    for (const [place, holder] of holders.entries()) {
      const y = answers.get(holder)?.[survives ? "self" : "mask"].get(client);
      if (y !== undefined) shares.push({ x: place + 1, y });
    }
    const hash = survives ? selfHash : maskHash;
    const fits = async (secret: Bytes): Promise<boolean> => equalBytes(await sha256Bytes(secret), hash);
    const found = await recover(shares, cohort.threshold, fits);
    for (const x of found?.wrong ?? []) wrong.add(holders[x - 1]!);
    if (found === undefined) closed.push(client);
    else if (survives) selfSeeds.set(client, found.secret);
    else if (equalBytes(await publicKeyOf(found.secret), mask)) maskSecrets.set(client, found.secret);
    else {
      // The client itself published a hash of another secret.
      wrong.add(client);
      closed.push(client);
    }
  }
  const opened = closed.length === 0 ? { selfSeeds, maskSecrets } : undefined;
  return { opened, closed, wrong: [...wrong].sort() };
}

/** Takes the masks out of the sum of the survivors' vectors, in place. The result is the sum of their integers. */
export async function unmaskSum(
  sum: Words,
  { salt, graph, keys }: Cohort,
  { survivors }: Parties,
  { selfSeeds, maskSecrets }: Opened,
): Promise<void> {
  for (const seed of selfSeeds.values()) await addMask(sum, seed, -1);
  for (const [name, secret] of maskSecrets) {
    for (const other of graph.get(name)!) {
      if (!survivors.has(other)) continue;
      const seed = await pairSeed(salt, { name, secret }, { name: other, publicKey: keys.get(other)!.mask });
      // The mask that the lost client would have put, which would have cancelled the survivor's.
      await addMask(sum, seed, pairSign(name, other));
    }
  }
}
