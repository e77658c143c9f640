import { equalBytes, join, sha256Bytes, uint32, type Bytes } from "./bytes.ts";
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
export function problemWithKeys(keys: ReadonlyMap<string, PublicKeys>): { client: string; reason: string } | undefined {
  const seen: { client: string; key: Bytes }[] = [];
  for (const [client, { channel, mask, selfHash, maskHash }] of keys) {
    if ([channel, mask, selfHash, maskHash].some(({ length }) => length !== 32)) {
      return { client, reason: "its keys are not 32 bytes each" };
    }
    for (const key of [channel, mask]) {
      const owner = seen.find((other) => equalBytes(other.key, key))?.client;
      if (owner !== undefined) {
        return { client, reason: owner === client ? "its two keys are one" : `it has a key of ${owner}` };
      }
      seen.push({ client, key });
    }
  }
  return undefined;
}
