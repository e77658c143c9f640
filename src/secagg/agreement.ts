import { type Bytes, join } from "./bytes.ts";

/** PKCS #8 for the 32 bytes of an X25519 secret (RFC 8410, section 7): WebCrypto reads no bare secret. */
const PKCS8 = Uint8Array.from([
  0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x04, 0x22, 0x04, 0x20,
]);
const BASE_POINT = Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 9 : 0));

/** A public key that is not 32 bytes or is of low order: the shared secret would be known to all. */
export class PublicKeyError extends Error {}

/**
 * The shared secret of X25519 (RFC 7748), 32 bytes.
 *
 * @throws PublicKeyError
 */
export async function agree(secret: Bytes, publicKey: Bytes): Promise<Bytes> {
  let shared: Bytes;
  try {
    const key = await crypto.subtle.importKey("pkcs8", join(PKCS8, secret), "X25519", false, ["deriveBits"]);
    const other = await crypto.subtle.importKey("raw", publicKey, "X25519", false, []);
    shared = new Uint8Array(await crypto.subtle.deriveBits({ name: "X25519", public: other }, key, 256));
  } catch (cause) {
    if (!(cause instanceof DOMException) || cause.name === "NotSupportedError") throw cause;
    throw new PublicKeyError("the public key is not a point of X25519 that secrets can be agreed with", { cause });
  }
  // RFC 7748, section 6.1. Not every platform refuses it.
  if (shared.every((byte) => byte === 0)) throw new PublicKeyError("the public key is of low order");
  return shared;
}

/** The public key of an X25519 secret, 32 bytes. */
export function publicKeyOf(secret: Bytes): Promise<Bytes> {
  return agree(secret, BASE_POINT);
}
