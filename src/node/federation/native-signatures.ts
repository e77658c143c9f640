import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { type Identity, isPublicKey } from "../../identity/keys.ts";

/** What stands before the 32 bytes of a key in its DER form (RFC 8410). */
const PRIVATE_DER = Buffer.from("302e020100300506032b657004220420", "hex");
const PUBLIC_DER = Buffer.from("302a300506032b6570032100", "hex");

/** Bytes of a text form before the 32 bytes of the key: the kind. */
const SEED_KIND = 2;
const PUBLIC_KIND = 1;
const KEY_BYTES = 32;

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** The same key pair, whose signatures Node makes: the same bytes, in a fiftieth of the library's time. */
export function withNativeSigning(identity: Identity): Identity {
  const key = createPrivateKey({ key: der(PRIVATE_DER, identity.seed, SEED_KIND), format: "der", type: "pkcs8" });
  return { ...identity, sign: (bytes) => new Uint8Array(sign(null, bytes, key)) };
}

/** `verify` of keys, by Node. */
export function verifyNatively(publicKey: string, bytes: Uint8Array, signature: Uint8Array): boolean {
  const key = known.get(publicKey) ?? readKey(publicKey);
  return key !== undefined && verify(null, bytes, key, signature);
}

/** Keys in Node's form: the same few parties sign everything, and making one takes as long as a check. */
const known = new Map<string, KeyObject>();
const MOST_KNOWN = 4096;

function readKey(publicKey: string): KeyObject | undefined {
  // OpenSSL would not notice a wrong checksum.
  if (!isPublicKey(publicKey)) return undefined;
  const key = createPublicKey({ key: der(PUBLIC_DER, publicKey, PUBLIC_KIND), format: "der", type: "spki" });
  if (known.size >= MOST_KNOWN) known.clear();
  known.set(publicKey, key);
  return key;
}

function der(before: Buffer, text: string, kindBytes: number): Buffer {
  return Buffer.concat([before, base32(text).subarray(kindBytes, kindBytes + KEY_BYTES)]);
}

function base32(text: string): Buffer {
  const bytes = [];
  let [value, bits] = [0, 0];
  for (const letter of text) {
    value = ((value << 5) | BASE32.indexOf(letter)) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((value >> bits) & 0xff);
  }
  return Buffer.from(bytes);
}
