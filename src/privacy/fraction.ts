/** A fraction of whole numbers, the denominator positive. */
export interface Fraction {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** The square of a double, exactly: a double is a whole number times a power of two. */
export function squareOf(value: number): Fraction {
  let scaled = value;
  let denominator = 1n;
  while (!Number.isInteger(scaled)) {
    scaled *= 2;
    denominator *= 2n;
  }
  return { numerator: BigInt(scaled) ** 2n, denominator: denominator ** 2n };
}
