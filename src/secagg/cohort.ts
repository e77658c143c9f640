import { agree, PublicKeyError } from "./agreement.ts";
import { type Bytes, join, sha256Bytes, toHex, uint32 } from "./bytes.ts";
import type { Place } from "./envelope.ts";
import type { Graph } from "./graph.ts";

/** The things that a client publishes before a round: two public keys, and hashes that fix the secrets it will share. */
export interface PublicKeys {
  /** X25519: shares are sealed for it. */
  readonly channel: Bytes;
  /** X25519: pair masks come from it. */
  readonly mask: Bytes;
  /**
   * SHA-256 of the seed of the client's own mask and of the secret of `mask`: forged shares are found out by them. The public
   * key alone would not do, for X25519 ignores five bits of a secret.
   */
  readonly selfHash: Bytes;
  readonly maskHash: Bytes;
}

/** The clients of a round that have published keys, and who shares secrets with whom. Names order clients everywhere. */
export interface Cohort extends Place {
  readonly keys: ReadonlyMap<string, PublicKeys>;
  readonly graph: Graph;
  /** Shares that give a secret back. */
  readonly threshold: number;
  /** Clients whose sums are opened apart: nobody has a neighbour in another part. One part of all without buckets. */
  readonly parts: readonly (readonly string[])[];
}

/**
 * The salt of a round: SHA-256 over run, round and hashes of what all parties have to agree on. A client that was told
 * other things derives other masks, and nothing unmasks (Pasquini et al. 2021).
 */
export function roundSalt(run: string, round: number, ...hashes: readonly string[]): Promise<Bytes> {
  return sha256Bytes(join(run, "|", uint32(round), ...hashes.map((hash) => `|${hash}`)));
}

/** Coins that no party chose alone: they follow from everybody's keys, once these are fixed. */
export function publicCoins(salt: Bytes, keys: ReadonlyMap<string, PublicKeys>): Promise<Bytes> {
  const all = [...keys].sort(([a], [b]) => (a < b ? -1 : 1));
  return sha256Bytes(
    join("openfedllm/secagg/1 coins", salt, ...all.flatMap(([, { channel, mask }]) => [channel, mask])),
  );
}

/** The reason why keys cannot be used; undefined where they can. A key that is there twice would link clients or rounds. */
export async function problemWithKeys(
  keys: ReadonlyMap<string, PublicKeys>,
): Promise<{ readonly client: string; readonly reason: string } | undefined> {
  const seen = new Map<string, string>();
  for (const [client, { channel, mask }] of keys) {
    for (const key of [channel, mask]) {
      const owner = seen.get(toHex(key));
      if (owner === client) return { client, reason: "its two keys are one" };
      if (owner !== undefined) return { client, reason: `it has a key of ${owner}` };
      if (!(await isUsable(key))) return { client, reason: "its key is no point that secrets can be agreed with" };
      seen.set(toHex(key), client);
    }
  }
  return undefined;
}

const PROBE = new Uint8Array(32).fill(1);

async function isUsable(publicKey: Bytes): Promise<boolean> {
  try {
    await agree(PROBE, publicKey);
    return true;
  } catch (error) {
    if (error instanceof PublicKeyError) return false;
    throw error;
  }
}
