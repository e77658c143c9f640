import * as fc from "fast-check";
import { expect, test } from "vitest";
import { newIdentity, verify } from "../../identity/keys.ts";
import { decode } from "@nats-io/jwt";
import { memberAccountJwt } from "../../identity/claims.ts";
import { verifyNatively, withNativeSigning } from "./native-signatures.ts";

test("Node's signatures are those of the library, byte for byte, and each accepts the other's", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const identity = newIdentity();
      const native = withNativeSigning(identity);
      const signature = identity.sign(bytes);
      expect(native.sign(bytes)).toEqual(signature);
      expect([native.publicKey, native.seed]).toEqual([identity.publicKey, identity.seed]);
      for (const check of [verify, verifyNatively]) expect(check(identity.publicKey, bytes, signature)).toBe(true);
    }),
    { numRuns: 20 },
  );
});

test("Node refuses what the library refuses", () => {
  const identity = newIdentity();
  const bytes = new TextEncoder().encode("cell");
  const signature = identity.sign(bytes);
  const key = identity.publicKey;
  const flipped = (of: Uint8Array, at: number): Uint8Array => of.map((byte, i) => (i === at ? byte ^ 1 : byte));
  const wrong: [string, Uint8Array, Uint8Array][] = [
    [newIdentity().publicKey, bytes, signature],
    [key, flipped(bytes, 0), signature],
    ...[0, 31, 32, 63].map((at): [string, Uint8Array, Uint8Array] => [key, bytes, flipped(signature, at)]),
    [key, bytes, signature.slice(1)],
    [key, bytes, new Uint8Array()],
    [key.slice(1), bytes, signature],
    [key.slice(0, -1) + (key.endsWith("A") ? "B" : "A"), bytes, signature],
    ["", bytes, signature],
    [newIdentity("account").publicKey, bytes, signature],
  ];
  for (const [i, each] of wrong.entries()) {
    expect([i, verify(...each)]).toEqual([i, false]);
    expect([i, verifyNatively(...each)]).toEqual([i, false]);
  }
});

test("a token that is signed by Node's key is one that the library accepts", async () => {
  const signer = withNativeSigning(newIdentity("operator"));
  const account = newIdentity("account").publicKey;
  const options = { name: "clinic", account, coordinator: newIdentity("account").publicKey, revocations: {} };
  const token = await memberAccountJwt({ ...options, signer });
  // It checks the signature.
  expect(decode(token)).toMatchObject({ sub: account, iss: signer.publicKey, name: "clinic" });
  const [head, body, signature] = token.split(".");
  const other = await memberAccountJwt({ ...options, signer: withNativeSigning(newIdentity("operator")) });
  expect(() => decode(`${head}.${other.split(".")[1]}.${signature}`)).toThrow();
  expect(body).not.toBe(other.split(".")[1]);
});
