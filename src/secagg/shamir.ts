import type { Bytes } from "./bytes.ts";

// Logarithms to the base 3 in GF(2⁸) = GF(2)[x]/(x⁸ + x⁴ + x³ + x + 1).
const EXP = new Uint8Array(510);
const LOG = new Uint8Array(256);
for (let i = 0, x = 1; i < 255; i++) {
  EXP[i] = EXP[i + 255] = x;
  LOG[x] = i;
  x ^= (x << 1) ^ (x & 0x80 ? 0x11b : 0);
}

/** The product in GF(2⁸). Tables take a time that depends on the bytes: the secrets live for one round. */
export function multiply(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : EXP[LOG[a]! + LOG[b]!]!;
}

function divide(a: number, b: number): number {
  return a === 0 ? 0 : EXP[LOG[a]! + 255 - LOG[b]!]!;
}

/** A share and the place of its holder, 1 to 255. */
export interface Share {
  readonly x: number;
  readonly y: Bytes;
}

/**
 * Splits a secret so that any `threshold` shares give it back and fewer tell nothing (Shamir 1979), a byte at a time.
 * `coefficients`: `threshold` − 1 secret random bytes for each byte of the secret, of the lowest degree first.
 */
export function split(secret: Bytes, threshold: number, xs: readonly number[], coefficients: Bytes): Bytes[] {
  const degree = threshold - 1;
  if (coefficients.length !== secret.length * degree) {
    throw new Error(`${coefficients.length} coefficients, expected ${secret.length * degree}`);
  }
  return xs.map((x) => {
    if (!Number.isInteger(x) || x < 1 || x > 255) throw new Error(`${x} is no place of a share: expected 1 to 255`);
    return secret.map((byte, i) => {
      let y = 0;
      for (let d = degree - 1; d >= 0; d--) y = multiply(y ^ coefficients[i * degree + d]!, x);
      return y ^ byte;
    });
  });
}

/** The value at `at` of the polynomials through these shares; at 0 it is the secret. */
export function interpolate(shares: readonly Share[], at = 0): Bytes {
  const [first] = shares;
  if (first === undefined) throw new Error("no shares");
  const value = new Uint8Array(first.y.length);
  for (const { x, y } of shares) {
    if (y.length !== value.length) throw new Error(`shares of ${y.length} and ${value.length} bytes`);
    let factor = 1;
    for (const other of shares) {
      if (other.x === x && other.y !== y) throw new Error(`two shares of place ${x}`);
      if (other.x !== x) factor = divide(multiply(factor, other.x ^ at), other.x ^ x);
    }
    for (let i = 0; i < value.length; i++) value[i]! ^= multiply(factor, y[i]!);
  }
  return value;
}

/** Sets of shares that are tried before the secret is given up. */
const MOST_TRIES = 2000;

/**
 * The secret that `threshold` of the shares give and `fits` confirms, and the places of shares that do not belong to it.
 * Undefined where no set that was tried gives it.
 */
export async function recover(
  shares: readonly Share[],
  threshold: number,
  fits: (secret: Bytes) => Promise<boolean>,
): Promise<{ readonly secret: Bytes; readonly wrong: readonly number[] } | undefined> {
  let tries = 0;
  for (const chosen of subsets(shares.length, threshold)) {
    if (++tries > MOST_TRIES) return undefined;
    const subset = chosen.map((i) => shares[i]!);
    const secret = interpolate(subset);
    if (!(await fits(secret))) continue;
    const wrong = shares.filter(({ x, y }) => interpolate(subset, x).some((byte, i) => byte !== y[i]));
    return { secret, wrong: wrong.map(({ x }) => x) };
  }
  return undefined;
}

/** The subsets of 0 … n − 1 with `size` elements, in lexicographic order. */
function* subsets(n: number, size: number): Generator<readonly number[]> {
  const chosen = Array.from({ length: size }, (_, i) => i);
  if (size > n) return;
  for (;;) {
    yield chosen;
    let last = size - 1;
    while (last >= 0 && chosen[last] === n - size + last) last--;
    if (last < 0) return;
    chosen[last]!++;
    for (let i = last + 1; i < size; i++) chosen[i] = chosen[i - 1]! + 1;
  }
}
