const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

/** High 32 bits of the 64-bit product of two unsigned 32-bit numbers. JavaScript has no such operation. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  // Each partial product is below 2^32 and each sum below 2^33: exact in a double.
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const middle2 = aLow * bHigh + (middle % 0x10000);
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(middle2 / 0x10000)) >>> 0;
}

/**
 * Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): a keyed bijection of 128-bit
 * blocks. Reads 4 counter words and 2 key words, writes 4 words to `out` (which may be `counter`).
 */
export function philox4x32(counter: Uint32Array, key: Uint32Array, out: Uint32Array): void {
  let c0 = counter[0]!;
  let c1 = counter[1]!;
  let c2 = counter[2]!;
  let c3 = counter[3]!;
  let k0 = key[0]!;
  let k1 = key[1]!;
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(M0, c0);
    const low0 = Math.imul(M0, c0);
    const high1 = multiplyHigh(M1, c2);
    const low1 = Math.imul(M1, c2);
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1 >>> 0;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0 >>> 0;
    k0 = (k0 + W0) >>> 0;
    k1 = (k1 + W1) >>> 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** Encodes an item as whole 8-byte blocks that begin with its type and length, so that no two key lists encode alike. */
function encodeItem(item: string | number): Uint32Array {
  if (typeof item === "number") {
    if (!Number.isFinite(item))
      throw new RangeError(`the seed and the key of a random stream must be finite, got ${item}`);
    // + 0 turns −0 into 0, which is the same number to every caller.
    const words = new Uint32Array(new Float64Array([item + 0]).buffer);
    return Uint32Array.of(0, 1, ...words);
  }
  const text = new TextEncoder().encode(item);
  const bytes = new Uint8Array(8 + Math.ceil(text.length / 8) * 8);
  bytes.set(text, 8);
  const words = new Uint32Array(bytes.buffer);
  words[0] = text.length;
  words[1] = 2;
  return words;
}

/** 128 bits that identify (seed, ...key): Davies–Meyer chaining over Philox, eight message bytes a step. */
function hashKey(items: readonly (string | number)[]): Uint32Array {
  const state = new Uint32Array(4);
  const mixed = new Uint32Array(4);
  for (const item of items) {
    const words = encodeItem(item);
    for (let i = 0; i < words.length; i += 2) {
      philox4x32(state, words.subarray(i, i + 2), mixed);
      for (let j = 0; j < 4; j++) state[j] = state[j]! ^ mixed[j]!;
    }
  }
  return state;
}

/** A sequence of draws. Two streams of the same seed and key give the same draws. Nothing else influences them. */
export interface RandomStream {
  /** An integer in [0, 2^32). */
  uint32(): number;
  /** A multiple of 2^-53 in [0, 1). */
  uniform(): number;
  /** An integer in [0, n), each equally likely; n is an integer in [1, 2^53]. */
  integer(n: number): number;
  /** A standard normal (mean 0, standard deviation 1). */
  normal(): number;
  /** The numbers 0 … n−1 in random order. */
  permutation(n: number): Int32Array;
  /** k distinct numbers out of 0 … n−1, ascending; every subset is equally likely. */
  sample(n: number, k: number): number[];
  /** `length` values: 0 with probability p, else 1/(1−p), so that the mean is 1; p in [0, 1). Costs p·length draws. */
  dropoutMask(length: number, p: number): Float32Array;
}

class PhiloxStream implements RandomStream {
  readonly #key: Uint32Array;
  /** Words 0 and 1 count blocks; words 2 and 3 are the other half of the stream's 128-bit identity. */
  readonly #counter: Uint32Array;
  readonly #block: Uint32Array = new Uint32Array(4);
  #next = 4;

  constructor(identity: Uint32Array) {
    this.#key = identity.slice(0, 2);
    this.#counter = Uint32Array.of(0, 0, identity[2]!, identity[3]!);
  }

  uint32(): number {
    if (this.#next === 4) {
      philox4x32(this.#counter, this.#key, this.#block);
      this.#counter[0]!++;
      if (this.#counter[0] === 0) this.#counter[1]!++;
      this.#next = 0;
    }
    return this.#block[this.#next++]!;
  }

  /** 53 random bits as an integer. */
  #bits53(): number {
    const high = this.uint32() >>> 5;
    return high * 0x4000000 + (this.uint32() >>> 6);
  }

  uniform(): number {
    return this.#bits53() / 2 ** 53;
  }

  integer(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 2 ** 53) throw new RangeError(`integer(n) needs 1 <= n <= 2^53, got ${n}`);
    const small = n <= 2 ** 32;
    const range = small ? 2 ** 32 : 2 ** 53;
    const limit = range - (range % n);
    for (;;) {
      const draw = small ? this.uint32() : this.#bits53();
      if (draw < limit) return draw % n;
    }
  }

  normal(): number {
    // Box–Muller, the sine half thrown away: keeping it would make a draw depend on how many came before.
    const radius = Math.sqrt(-2 * Math.log1p(-this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  permutation(n: number): Int32Array {
    const order = Int32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      const held = order[i]!;
      order[i] = order[j]!;
      order[j] = held;
    }
    return order;
  }

  sample(n: number, k: number): number[] {
    if (!Number.isInteger(n) || !Number.isInteger(k) || k < 0 || k > n) {
      throw new RangeError(`sample(n, k) needs integers 0 <= k <= n, got n ${n} and k ${k}`);
    }
    // Floyd's algorithm (Bentley & Floyd 1987): k draws, no array of n.
    const chosen = new Set<number>();
    for (let top = n - k; top < n; top++) {
      const pick = this.integer(top + 1);
      chosen.add(chosen.has(pick) ? top : pick);
    }
    return [...chosen].sort((a, b) => a - b);
  }

  dropoutMask(length: number, p: number): Float32Array {
    if (!(p >= 0 && p < 1)) throw new RangeError(`a dropout probability must be in [0, 1), got ${p}`);
    const mask = new Float32Array(length).fill(1 / (1 - p));
    if (p === 0) return mask;
    const logKeep = Math.log1p(-p);
    const gap = (): number => Math.floor(Math.log1p(-this.uniform()) / logKeep);
    for (let i = gap(); i < length; i += 1 + gap()) mask[i] = 0;
    return mask;
  }
}

/**
 * Opens the random stream of a purpose: a pure function of `(seed, ...key)`, as in `stream(seed, "dropout", round, client)`.
 * `1` and `"1"` are different keys. Throws a RangeError for a number that is not finite.
 */
export function stream(seed: number, ...key: (string | number)[]): RandomStream {
  return new PhiloxStream(hashKey([seed, ...key]));
}

/** Draws at most `most` items of a list without repetition, in their order; undefined: all of them. */
export function sampleOf<T>(list: readonly T[], most: number | undefined, random: RandomStream): readonly T[] {
  if (most === undefined || most >= list.length) return list;
  return random.sample(list.length, most).map((i) => list[i]!);
}
