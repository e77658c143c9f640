import { UserError } from "../diagnostics/user-error.ts";
import type { Bits, Words } from "./mask.ts";

/** The grid on which a round adds: one object, so that range, scale and modulus cannot disagree. */
export interface Grid {
  readonly bits: Bits;
  /** Each number is limited to ±range before it is weighted. */
  readonly range: number;
  /** Steps of the grid to 1. */
  readonly scale: number;
}

export interface GridSettings {
  readonly bits: Bits;
  readonly range: number;
  /** Clients that the round was opened for: the sum of so many does not wrap. */
  readonly clients: number;
  /** The largest weight of a client. */
  readonly weightMax: number;
}

/**
 * The finest grid on which the sum of all clients stays within ±(2^(bits − 1) − 1).
 *
 * @throws UserError of kind `config` where that grid is coarser than 1.
 */
export function gridFor({ bits, range, clients, weightMax }: GridSettings): Grid {
  const largest = 2 ** (bits - 1) - 1;
  const most = clients * weightMax * range;
  // Rounding up may add 1 for each client, which the −1 covers only where weightMax·range is 1 or more.
  const scale = Math.min(Math.floor(largest / most) - 1, Math.floor((largest - clients) / most));
  if (scale >= 1) return { bits, range, scale };
  throw new UserError(
    "config",
    `secureAggregation.bits is ${bits}: the sum of ${clients} clients of weight ${weightMax} within ±${range} does not fit`,
    { hint: "Use 32 bits, a smaller secureAggregation.range, or federation.weighting: uniform." },
  );
}

/**
 * Rounds weight·x to the grid without bias: ⌊weight·x·scale + u⌋, u uniform in [0, 1). Writes the integers modulo 2^bits.
 *
 * @param uniform u as a whole number of 2⁻³²s, for each x
 * @throws Error for a number that is not finite: the whole sum would be lost, silently.
 */
export function quantise(
  numbers: ArrayLike<number>,
  { weight, grid, uniform }: { readonly weight: number; readonly grid: Grid; readonly uniform: ArrayLike<number> },
  into: Words,
): void {
  const { range, scale } = grid;
  for (let i = 0; i < numbers.length; i++) {
    const number = numbers[i]!;
    if (!Number.isFinite(number)) throw new Error(`number ${i} is ${number}`);
    const limited = Math.min(range, Math.max(-range, number));
    into[i] = Math.floor(weight * limited * scale + uniform[i]! * 2 ** -32);
  }
}

/** The sum as numbers: words centred to [−2^(bits − 1), 2^(bits − 1)), over the scale. */
export function fromGrid(words: Words, { scale }: Pick<Grid, "scale">): Float64Array<ArrayBuffer> {
  const signed =
    words instanceof Uint16Array
      ? new Int16Array(words.buffer, words.byteOffset, words.length)
      : new Int32Array(words.buffer, words.byteOffset, words.length);
  return Float64Array.from(signed, (value) => value / scale);
}
