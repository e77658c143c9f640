import { hkdf } from "../privacy/secret-stream.ts";
import { agree } from "./agreement.ts";
import { type Bytes, join, uint32 } from "./bytes.ts";

/** The round that secrets belong to. Keys, masks and envelopes of one round open nothing of another. */
export interface Place {
  /** Stands for the run. */
  readonly run: string;
  readonly round: number;
  /** `roundSalt` of it. */
  readonly salt: Bytes;
}

/** Every derivation begins with it. */
export function label(what: string): Bytes {
  return join("openfedllm/secagg/1 ", what);
}

/**
 * Seals the two shares of `from` for `to` with AES-256-GCM. Key and nonce follow from the agreement of the two, so sealing the
 * same again gives the same bytes. Names hold no `>`.
 */
export async function seal(
  place: Place,
  { from, to, secret, publicKey }: { from: string; to: string; secret: Bytes; publicKey: Bytes },
  shares: Bytes,
): Promise<Bytes> {
  const { key, algorithm } = await envelopeOf(place, from, to, await agree(secret, publicKey));
  return new Uint8Array(await crypto.subtle.encrypt(algorithm, key, shares));
}

/** Opens what `from` sealed for `to`; undefined where it is another thing, such as one for another round. */
export async function open(
  place: Place,
  { from, to, secret, publicKey }: { from: string; to: string; secret: Bytes; publicKey: Bytes },
  sealed: Bytes,
): Promise<Bytes | undefined> {
  const { key, algorithm } = await envelopeOf(place, from, to, await agree(secret, publicKey));
  try {
    return new Uint8Array(await crypto.subtle.decrypt(algorithm, key, sealed));
  } catch {
    return undefined;
  }
}

async function envelopeOf({ run, round, salt }: Place, from: string, to: string, shared: Bytes) {
  const way = `${from}>${to}`;
  const derived = await hkdf(shared, salt, join(label("channel "), way), 44);
  const { key, algorithm } = await gcmOf(derived);
  return { key, algorithm: { ...algorithm, additionalData: join(run, "|", uint32(round), "|", way) } };
}

interface Cipher {
  readonly key: Awaited<ReturnType<typeof crypto.subtle.importKey>>;
  readonly algorithm: { readonly name: "AES-GCM"; readonly iv: Bytes };
}

/** AES-256-GCM with a key of 32 bytes and the nonce of 12 that follows it, derived for one message alone. */
export async function gcmOf(derived: Bytes): Promise<Cipher> {
  const key = await crypto.subtle.importKey("raw", derived.subarray(0, 32), "AES-GCM", false, ["encrypt", "decrypt"]);
  return { key, algorithm: { name: "AES-GCM", iv: derived.subarray(32) } };
}
