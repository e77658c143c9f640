/** The part of CPython's `random.Random` that benchmarks shuffle with, number for number. */
export interface PythonRandom {
  /** Shuffles in place, as `random.shuffle` does. */
  shuffle(items: unknown[]): void;
}

const N = 624;
const M = 397;

/**
 * `random.seed(seed)` for an integer of 0 to 2³²−1: the Mersenne Twister MT19937 (Matsumoto and Nishimura 1998, seeded by
 * their `init_by_array`), whose leading bits CPython draws indices from, again while one is too large.
 */
export function pythonRandom(seed: number): PythonRandom {
  const state = seededState(seed);
  let at = N;
  const next = (): number => {
    if (at === N) {
      twist(state);
      at = 0;
    }
    let y = state[at++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
  const below = (n: number): number => {
    const bits = 32 - Math.clz32(n);
    for (;;) {
      const drawn = next() >>> (32 - bits);
      if (drawn < n) return drawn;
    }
  };
  return {
    shuffle(items) {
      for (let i = items.length - 1; i > 0; i--) {
        const j = below(i + 1);
        [items[i], items[j]] = [items[j], items[i]];
      }
    },
  };
}

function seededState(seed: number): Uint32Array {
  const state = new Uint32Array(N);
  const mixed = (i: number): number => state[i - 1]! ^ (state[i - 1]! >>> 30);
  state[0] = 19650218;
  for (let i = 1; i < N; i++) state[i] = Math.imul(1812433253, mixed(i)) + i;
  // The key has one word, so its index adds nothing.
  let i = 1;
  const step = (value: number): void => {
    state[i] = value;
    if (++i < N) return;
    state[0] = state[N - 1]!;
    i = 1;
  };
  for (let k = 0; k < N; k++) step((state[i]! ^ Math.imul(mixed(i), 1664525)) + seed);
  for (let k = 0; k < N - 1; k++) step((state[i]! ^ Math.imul(mixed(i), 1566083941)) - i);
  state[0] = 0x80000000;
  return state;
}

function twist(state: Uint32Array): void {
  for (let i = 0; i < N; i++) {
    const y = (state[i]! & 0x80000000) | (state[(i + 1) % N]! & 0x7fffffff);
    state[i] = state[(i + M) % N]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
  }
}
