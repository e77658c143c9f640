import { expect, it } from "vitest";
import { identityFromSeed, isPublicKey, newIdentity, signText, verify, verifyText } from "./keys.ts";

it("a key pair comes back from its seed and signs 64 bytes that only its public key accepts", () => {
  const identity = newIdentity();
  const again = identityFromSeed(`${identity.seed}\n`);
  expect(again.publicKey).toBe(identity.publicKey);
  const bytes = Uint8Array.from([1, 2, 3]);
  const signature = again.sign(bytes);
  expect(signature).toHaveLength(64);
  expect(verify(identity.publicKey, bytes, signature)).toBe(true);
  expect(verify(newIdentity().publicKey, bytes, signature)).toBe(false);
  expect(verify(identity.publicKey, Uint8Array.from([1, 2, 4]), signature)).toBe(false);
  expect(verify(identity.publicKey, bytes, signature.slice(1))).toBe(false);
  expect(verify("not a key", bytes, signature)).toBe(false);
  expect(verifyText(identity.publicKey, "é", signText(identity, "é"))).toBe(true);
  expect(verifyText(identity.publicKey, "é", "no base64 !")).toBe(false);
});

it("tells the kinds of keys apart and a mistyped one", () => {
  const { publicKey } = newIdentity("account");
  expect([isPublicKey(publicKey, "account"), isPublicKey(publicKey), isPublicKey(publicKey, "operator")]).toEqual([
    true,
    false,
    false,
  ]);
  const wrong = publicKey.slice(0, 20) + (publicKey[20] === "A" ? "B" : "A") + publicKey.slice(21);
  expect(isPublicKey(wrong, "account")).toBe(false);
});

it("refuses a text that is no seed of its kind and does not repeat it", () => {
  const { seed } = newIdentity("account");
  for (const text of [seed, seed.slice(0, 30), "", "SUAsecretsecret"]) {
    let message = "";
    try {
      identityFromSeed(text);
    } catch (error) {
      message = String(error);
    }
    expect(message).toContain("not the seed of a key of kind user");
    if (text !== "") expect(message).not.toContain(text);
  }
});
