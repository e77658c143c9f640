import { decode, encode } from "@nats-io/nkeys";

/** Bytes as base64url text without padding. */
export function toBase64Url(bytes: Uint8Array): string {
  return encode(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The bytes of base64url text; undefined for another text. */
export function fromBase64Url(text: string): Uint8Array | undefined {
  if (!/^[\w-]*$/.test(text)) return undefined;
  try {
    return decode(text.replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    return undefined;
  }
}
