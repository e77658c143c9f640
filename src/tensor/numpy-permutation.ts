const MASK_32 = 0xffff_ffffn;
const MASK_64 = (1n << 64n) - 1n;
const MASK_128 = (1n << 128n) - 1n;
const MULTIPLIER = 47026247687942121848144207491837523525n;

/**
 * Returns `numpy.random.default_rng(seed).permutation(length)`, number for number, for a seed below 2³². A `SeedSequence`
 * fills a PCG64 (O'Neill 2014, XSL-RR 128/64). From the last place on, each changes with one drawn from those up to it.
 */
export function numpyPermutation(length: number, seed: number): number[] {
  const next = halves(pcg64(seedWords(seed, 8)));
  const order = Array.from({ length }, (_, i) => i);
  for (let i = length - 1; i > 0; i--) {
    const j = below(i + 1, next);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/**
 * Splits rows as `datasets.Dataset.train_test_split(share, seed=seed)` does: the rows of the test part and of the training
 * part, each in the library's order.
 */
export function testRows(rows: number, share: number, seed: number): { test: number[]; train: number[] } {
  const order = numpyPermutation(rows, seed);
  const size = Math.ceil(share * rows);
  return { test: order.slice(0, size), train: order.slice(size) };
}

/** Draws as NumPy's `random_interval`: as many of the lowest bits as the bound has, again while they are too large. */
function below(bound: number, next: () => number): number {
  const mask = 0xffff_ffff >>> Math.clz32(bound - 1);
  for (;;) {
    const drawn = (next() & mask) >>> 0;
    if (drawn < bound) return drawn;
  }
}

/** Makes words of 32 bits out of words of 64, the lower half first. */
function halves(next: () => bigint): () => number {
  let upper: bigint | undefined;
  return () => {
    if (upper !== undefined) {
      const kept = upper;
      upper = undefined;
      return Number(kept);
    }
    const word = next();
    upper = word >> 32n;
    return Number(word & MASK_32);
  };
}

function pcg64(words: readonly number[]): () => bigint {
  const word = (at: number): bigint => (BigInt(words[2 * at + 1]!) << 32n) | BigInt(words[2 * at]!);
  const increment = (((word(2) << 64n) | word(3)) << 1n) | 1n;
  const advance = (state: bigint): bigint => (state * MULTIPLIER + increment) & MASK_128;
  let state = advance((increment + ((word(0) << 64n) | word(1))) & MASK_128);
  return () => {
    state = advance(state);
    const folded = ((state >> 64n) ^ state) & MASK_64;
    const turn = state >> 122n;
    return ((folded >> turn) | (folded << (64n - turn))) & MASK_64;
  };
}

/** `SeedSequence(seed).generate_state(count)`: a pool of four words, each mixed with every other. */
function seedWords(seed: number, count: number): number[] {
  const hashing = (start: number, multiplier: number): ((value: number) => number) => {
    let constant = start;
    return (value) => {
      const mixed = value ^ constant;
      constant = Math.imul(constant, multiplier);
      const product = Math.imul(mixed, constant);
      return product ^ (product >>> 16);
    };
  };
  const hash = hashing(0x43b0d7e5, 0x931e8875);
  const pool = [seed, 0, 0, 0].map(hash);
  for (let from = 0; from < pool.length; from++) {
    for (let to = 0; to < pool.length; to++) {
      if (from === to) continue;
      const mixed = Math.imul(0xca01f9dd, pool[to]!) - Math.imul(0x4973f715, hash(pool[from]!));
      pool[to] = mixed ^ (mixed >>> 16);
    }
  }
  const draw = hashing(0x8b51f9dd, 0x58f38ded);
  return Array.from({ length: count }, (_, i) => draw(pool[i % pool.length]!) >>> 0);
}
