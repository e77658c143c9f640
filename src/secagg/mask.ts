import { hkdf, keyStreamPieces, LARGEST_PIECE } from "../privacy/secret-stream.ts";
import { agree } from "./agreement.ts";
import { type Bytes, join } from "./bytes.ts";
import { label } from "./envelope.ts";

/** Integers modulo 2³² or 2¹⁶: sums in these arrays wrap by themselves. */
export type Words = Uint16Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;
export type Bits = 16 | 32;

export function newWords(bits: Bits, length: number): Words {
  return bits === 16 ? new Uint16Array(length) : new Uint32Array(length);
}

/** The stream of AES-256-CTR from block 0 under a key of 32 bytes, in pieces of at most 1 MiB. */
export async function* keyStream(seed: Bytes, bytes: number): AsyncGenerator<ArrayBuffer> {
  const cut = await keyStreamPieces(seed);
  const piece = (at: number): Promise<ArrayBuffer> | undefined =>
    at < bytes ? cut(at, Math.min(LARGEST_PIECE, bytes - at)) : undefined;
  // The next piece is made while this one is used.
  for (let at = 0, next = piece(0); next !== undefined;) {
    const found = await next;
    at += LARGEST_PIECE;
    next = piece(at);
    yield found;
  }
}

/** Adds (sign 1) or takes away (−1) the mask of a seed, read as little-endian words. Changes `words` in place. */
export async function addMask(words: Words, seed: Bytes, sign: 1 | -1): Promise<void> {
  let at = 0;
  for await (const piece of keyStream(seed, words.byteLength)) {
    const mask = words instanceof Uint16Array ? new Uint16Array(piece) : new Uint32Array(piece);
    addWords(words.subarray(at, at + mask.length), mask, sign);
    at += mask.length;
  }
}

/** Adds `more` to `words` (sign 1), or takes it away (−1), in place. */
export function addWords(words: Words, more: Words, sign: 1 | -1): void {
  if (words.length !== more.length) throw new Error(`${more.length} words to add to ${words.length}`);
  if (sign === 1) for (let i = 0; i < more.length; i++) words[i]! += more[i]!;
  else for (let i = 0; i < more.length; i++) words[i]! -= more[i]!;
}

/** The seed of the mask that two clients share. Names hold no `|`. @throws PublicKeyError */
export async function pairSeed(
  salt: Bytes,
  own: { readonly name: string; readonly secret: Bytes },
  other: { readonly name: string; readonly publicKey: Bytes },
): Promise<Bytes> {
  const [first, second] = own.name < other.name ? [own.name, other.name] : [other.name, own.name];
  const shared = await agree(own.secret, other.publicKey);
  return hkdf(shared, salt, join(label("mask "), `${first}|${second}`), 32);
}

/** The sign that `name` gives the mask it shares with `other` (Bonawitz et al. 2017, section 4). */
export function pairSign(name: string, other: string): 1 | -1 {
  return name < other ? 1 : -1;
}
