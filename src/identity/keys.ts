import {
  createAccount,
  createOperator,
  createUser,
  decode,
  encode,
  fromPublic,
  fromSeed,
  type KeyPair,
} from "@nats-io/nkeys";
import { UserError } from "../diagnostics/user-error.ts";

/** The kinds of keys, by the first letter of the public key. */
const LETTERS = { operator: "O", account: "A", user: "U" } as const;
const MAKERS = { operator: createOperator, account: createAccount, user: createUser };

export type KeyKind = keyof typeof LETTERS;

/** An Ed25519 key pair in the text form of NATS (nkeys). */
export interface Identity {
  /** 56 characters; the first one tells the kind of key. */
  readonly publicKey: string;
  /** Secret: who has the seed is the party. */
  readonly seed: string;
  /** Gives the 64 bytes of the signature. */
  sign(bytes: Uint8Array): Uint8Array;
}

/** Makes a new key pair. */
export function newIdentity(kind: KeyKind = "user"): Identity {
  return identityOf(MAKERS[kind]());
}

/** Reads a key pair. @throws UserError("config") without the text, for another text than the seed of such a key. */
export function identityFromSeed(seed: string, kind: KeyKind = "user"): Identity {
  try {
    const identity = identityOf(fromSeed(new TextEncoder().encode(seed.trim())));
    if (isPublicKey(identity.publicKey, kind)) return identity;
  } catch {
    // The library's error may hold a part of the text.
  }
  throw new UserError("config", `the text is not the seed of a key of kind ${kind}`);
}

/** True for a well-formed public key, its checksum included. */
export function isPublicKey(text: string, kind: KeyKind = "user"): boolean {
  if (!text.startsWith(LETTERS[kind]) || text.length !== 56) return false;
  try {
    return fromPublic(text).getPublicKey() === text;
  } catch {
    return false;
  }
}

/** True if the signature of the bytes is that of the key. False too for a malformed key or signature. */
export function verify(publicKey: string, bytes: Uint8Array, signature: Uint8Array): boolean {
  try {
    return fromPublic(publicKey).verify(bytes, signature);
  } catch {
    return false;
  }
}

/** Signs a text. Gives the signature in base64. */
export function signText(identity: Identity, text: string): string {
  return encode(identity.sign(new TextEncoder().encode(text)));
}

/** `verify`, or the same by the platform. */
export type Verify = typeof verify;

/** True if the signature (base64) of the text is that of the key. */
export function verifyText(publicKey: string, text: string, signature: string, check: Verify = verify): boolean {
  try {
    return check(publicKey, new TextEncoder().encode(text), decode(signature));
  } catch {
    return false;
  }
}

/** The same key pair for the library of tokens. It signs as the identity does, which may be the platform's way. */
export function keyPairOf(identity: Identity): KeyPair {
  const seed = new TextEncoder().encode(identity.seed);
  return Object.assign(fromSeed(seed), {
    getPublicKey: () => identity.publicKey,
    // Asked only whether there is one; the library would work it out anew for each token.
    getPrivateKey: () => seed,
    sign: (bytes: Uint8Array) => identity.sign(bytes),
  });
}

function identityOf(pair: ReturnType<typeof createUser>): Identity {
  return {
    publicKey: pair.getPublicKey(),
    seed: new TextDecoder().decode(pair.getSeed()),
    sign: (bytes) => pair.sign(bytes),
  };
}
