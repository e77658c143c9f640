import type { SecretStream } from "./secret-stream.ts";

/** Coins tossed at a time. */
const COINS = 1 << 13;

/**
 * Draws a Poisson sample: each of 0 … `count` − 1 is in with probability `rate`, independently, by a secret coin of its own of
 * 53 bits. The size varies, and may be 0. A place's coin does not depend on the other places, nor on how many follow.
 */
export async function poissonSample(stream: SecretStream, count: number, rate: number): Promise<number[]> {
  const drawn: number[] = [];
  for (let from = 0; from < count; from += COINS) {
    const size = Math.min(COINS, count - from);
    const view = new DataView((await stream.bytes(8 * size)).buffer);
    for (let i = 0; i < size; i++) {
      if (Number(view.getBigUint64(8 * i, true) >> 11n) / 2 ** 53 < rate) drawn.push(from + i);
    }
  }
  return drawn;
}
