/** Several values of one quantity, such as a final loss with several seeds. */
export interface Spread {
  readonly n: number;
  readonly mean: number;
  /** Sample standard deviation, with n − 1; undefined for a single value. */
  readonly sd: number | undefined;
  readonly min: number;
  readonly max: number;
}

/** Undefined without values. A value that is not finite is not hidden: the mean is then not finite either. */
export function spreadOf(values: readonly number[]): Spread | undefined {
  const n = values.length;
  if (n === 0) return undefined;
  const mean = meanOf(values);
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return {
    n,
    mean,
    sd: n === 1 ? undefined : Math.sqrt(squares / (n - 1)),
    min: Math.min(...values),
    max: Math.max(...values),
  };
}

export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
