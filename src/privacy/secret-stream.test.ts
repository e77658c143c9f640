import { createCipheriv } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hkdf, keyStream, newSecretKey, secretCoins, secretStream } from "./secret-stream.ts";

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const range = (from: number, to: number): Uint8Array => Uint8Array.from({ length: to - from }, (_, i) => from + i);

describe("hkdf", () => {
  it.each([
    [
      "A.1",
      new Uint8Array(22).fill(11),
      range(0, 13),
      range(0xf0, 0xfa),
      "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ],
    [
      "A.2",
      range(0, 80),
      range(0x60, 0xb0),
      range(0xb0, 0x100),
      "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
    ],
    [
      "A.3",
      new Uint8Array(22).fill(11),
      new Uint8Array(),
      new Uint8Array(),
      "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ],
  ])("gives RFC 5869's %s", async (_, secret, salt, info, expected) => {
    expect(hexOf(await hkdf(secret, salt, info, expected.length / 2))).toBe(expected);
  });
});

describe("a secret stream", () => {
  const key = bytesOf("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");

  it("is the key stream of AES-256-CTR, whatever the pieces", async () => {
    const expected = createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(2_500_000));
    const whole = await (await keyStream(key)).bytes(expected.length);
    expect(Buffer.compare(whole, expected)).toBe(0);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 8 }), async (lengths) => {
        const stream = await keyStream(key);
        let at = 0;
        for (const length of lengths) {
          expect(Buffer.compare(await stream.bytes(length), expected.subarray(at, at + length))).toBe(0);
          at += length;
        }
      }),
    );
  });

  it("is told by key and purpose", async () => {
    const first = async (key: Uint8Array, purpose: string) => hexOf(await (await secretStream(key, purpose)).bytes(32));
    const one = await first(key, "run|3|noise");
    expect(await first(key, "run|3|noise")).toBe(one);
    expect(await first(key, "run|4|noise")).not.toBe(one);
    expect(await first(newSecretKey(), "run|3|noise")).not.toBe(one);
    expect(newSecretKey()).toHaveLength(32);
  });

  it("tosses coins that are even", async () => {
    const stream = await secretStream(key, "coins");
    let sum = 0;
    for (let i = 0; i < 5000; i++) {
      const coin = (await secretCoins(stream, 1))[0]!;
      expect(coin >= 0 && coin < 1).toBe(true);
      sum += coin;
    }
    expect(sum / 5000).toBeCloseTo(0.5, 1);
  });

  it("refuses a key of another length", async () => {
    await expect(secretStream(new Uint8Array(16), "")).rejects.toThrow("a secret key has 32 bytes, got 16");
  });
});
