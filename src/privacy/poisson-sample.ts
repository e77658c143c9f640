import { secretCoins, type SecretStream } from "./secret-stream.ts";

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
    for (const [i, coin] of (await secretCoins(stream, size)).entries()) if (coin < rate) drawn.push(from + i);
  }
  return drawn;
}
