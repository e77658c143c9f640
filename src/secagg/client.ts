import { hkdf } from "../privacy/secret-stream.ts";
import { publicKeyOf } from "./agreement.ts";
import { type Bytes, join, sha256Bytes } from "./bytes.ts";
import type { Cohort, PublicKeys } from "./cohort.ts";
import { label, open, seal } from "./envelope.ts";
import { holdersOf } from "./graph.ts";
import { addMask, keyStream, pairSeed, pairSign, type Words } from "./mask.ts";
import { split } from "./shamir.ts";

/** The secrets of one client for one round. All follow from its master key, so a restart has the same. */
export interface OwnSecrets {
  /** X25519: opens the shares of others. */
  readonly channel: Bytes;
  /** X25519: makes pair masks. Rebuilt by others where the client is lost. */
  readonly mask: Bytes;
  /** The seed of the client's own mask. Rebuilt by others where the client's vector is in the sum. */
  readonly self: Bytes;
}

/** @param master 32 random bytes, used for this round only */
export async function ownSecrets(master: Bytes, salt: Bytes): Promise<OwnSecrets> {
  const derive = (what: string): Promise<Bytes> => hkdf(master, salt, label(what), 32);
  return { channel: await derive("channel_sk"), mask: await derive("mask_sk"), self: await derive("self_seed") };
}

export async function publicKeys({ channel, mask, self }: OwnSecrets): Promise<PublicKeys> {
  return {
    channel: await publicKeyOf(channel),
    mask: await publicKeyOf(mask),
    selfHash: await sha256Bytes(self),
    maskHash: await sha256Bytes(mask),
  };
}

/** A holder's shares of a client's two secrets, 32 bytes each. */
export interface SharePair {
  readonly mask: Bytes;
  readonly self: Bytes;
}

/** The shares of a client's secrets, by holder; it holds one pair itself. */
export async function dealShares(
  { graph, threshold, salt }: Cohort,
  name: string,
  { master, own }: { readonly master: Bytes; readonly own: OwnSecrets },
): Promise<ReadonlyMap<string, SharePair>> {
  const holders = holdersOf(graph, name);
  const xs = holders.map((_, i) => i + 1);
  const deal = async (secret: Bytes, what: string): Promise<Bytes[]> =>
    split(secret, threshold, xs, await hkdf(master, salt, label(`shamir ${what}`), 32 * (threshold - 1)));
  const mask = await deal(own.mask, "mask_sk");
  const self = await deal(own.self, "self_seed");
  return new Map(holders.map((holder, i) => [holder, { mask: mask[i]!, self: self[i]! }]));
}

/** The shares of a client sealed for each neighbour. @throws PublicKeyError */
export async function sealShares(
  cohort: Cohort,
  name: string,
  secrets: { readonly master: Bytes; readonly own: OwnSecrets },
): Promise<ReadonlyMap<string, Bytes>> {
  const sealed = new Map<string, Bytes>();
  for (const [to, { mask, self }] of await dealShares(cohort, name, secrets)) {
    if (to === name) continue;
    const way = { from: name, to, secret: secrets.own.channel, publicKey: cohort.keys.get(to)!.channel };
    sealed.set(to, await seal(cohort, way, join(mask, self)));
  }
  return sealed;
}

/** The shares that another client sealed for this one; undefined where it did not seal them for this one and this round. */
export async function openShares(
  cohort: Cohort,
  { from, to, own, sealed }: { from: string; to: string; own: OwnSecrets; sealed: Bytes },
): Promise<SharePair | undefined> {
  const way = { from, to, secret: own.channel, publicKey: cohort.keys.get(from)!.channel };
  const opened = await open(cohort, way, sealed);
  return opened?.length === 64 ? { mask: opened.slice(0, 32), self: opened.slice(32) } : undefined;
}

/**
 * Masks a vector in place: its own mask, and one with each neighbour in `sharers` that the sum cancels (Bonawitz et al.
 * 2017, eq. in section 4.1).
 *
 * @throws PublicKeyError
 */
export async function maskVector(
  words: Words,
  { salt, graph, keys }: Cohort,
  { name, own, sharers }: { readonly name: string; readonly own: OwnSecrets; readonly sharers: ReadonlySet<string> },
): Promise<void> {
  await addMask(words, own.self, 1);
  for (const other of graph.get(name)!) {
    if (!sharers.has(other)) continue;
    const seed = await pairSeed(salt, { name, secret: own.mask }, { name: other, publicKey: keys.get(other)!.mask });
    await addMask(words, seed, pairSign(name, other));
  }
}

/** Secret uniform numbers for rounding, as whole numbers of 2⁻³²s. `purpose` tells vectors of one round apart. */
export async function roundingNumbers(
  master: Bytes,
  salt: Bytes,
  purpose: string,
  length: number,
): Promise<Uint32Array<ArrayBuffer>> {
  const numbers = new Uint32Array(length);
  let at = 0;
  for await (const piece of keyStream(await hkdf(master, salt, label(`rounding ${purpose}`), 32), 4 * length)) {
    numbers.set(new Uint32Array(piece), at);
    at += piece.byteLength / 4;
  }
  return numbers;
}
