const SIZE = 624;
const SHIFT = 397;

/**
 * CPython's `random.Random` (Mersenne Twister MT19937, Matsumoto & Nishimura 1998): a whole number as seed,
 * `sample(range(n), k)` and `shuffle`. It is only for repeating the choices of OpenFedLLM and of benchmarks; everything else
 * draws from `stream`.
 */
export class PythonRandom {
  readonly #state = new Uint32Array(SIZE);
  #next = SIZE;

  /** `random.seed(seed)`. Throws a RangeError unless 0 ≤ seed < 2³². */
  constructor(seed: number) {
    if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32)
      throw new RangeError(`a seed must be in [0, 2^32), got ${seed}`);
    const state = this.#state;
    state[0] = 19650218;
    for (let i = 1; i < SIZE; i++) state[i] = Math.imul(1812433253, state[i - 1]! ^ (state[i - 1]! >>> 30)) + i;
    // init_by_array with a key of one word.
    let at = 1;
    const step = (factor: number, add: (at: number) => number): void => {
      const mixed = Math.imul(state[at - 1]! ^ (state[at - 1]! >>> 30), factor);
      state[at] = (state[at]! ^ mixed) + add(at);
      if (++at === SIZE) {
        state[0] = state[SIZE - 1]!;
        at = 1;
      }
    };
    for (let i = 0; i < SIZE; i++) step(1664525, () => seed);
    for (let i = 1; i < SIZE; i++) step(1566083941, (index) => -index);
    state[0] = 0x80000000;
  }

  #uint32(): number {
    if (this.#next === SIZE) this.#regenerate();
    let y = this.#state[this.#next++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  #regenerate(): void {
    const state = this.#state;
    for (let i = 0; i < SIZE; i++) {
      const y = (state[i]! & 0x80000000) | (state[(i + 1) % SIZE]! & 0x7fffffff);
      state[i] = state[(i + SHIFT) % SIZE]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.#next = 0;
  }

  /** `_randbelow(n)`: draws as many bits as n has, again until they are below n. */
  #below(n: number): number {
    const bits = 32 - Math.clz32(n);
    for (;;) {
      const draw = this.#uint32() >>> (32 - bits);
      if (draw < n) return draw;
    }
  }

  /** `random.shuffle(items)`, in place. */
  shuffle(items: unknown[]): void {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.#below(i + 1);
      [items[i], items[j]] = [items[j], items[i]];
    }
  }

  /** `random.sample(range(n), k)`: k distinct numbers in the order drawn. Throws a RangeError unless 0 ≤ k ≤ n. */
  sample(n: number, k: number): number[] {
    if (!Number.isInteger(k) || k < 0 || k > n) throw new RangeError(`sample needs 0 <= k <= n, got n ${n} and k ${k}`);
    // CPython has two ways, which draw different numbers.
    let setSize = 21;
    if (k > 5) setSize += 4 ** Math.ceil(Math.log(k * 3) / Math.log(4));
    const result: number[] = [];
    if (n <= setSize) {
      const pool = Array.from({ length: n }, (_, i) => i);
      for (let i = 0; i < k; i++) {
        const j = this.#below(n - i);
        result.push(pool[j]!);
        pool[j] = pool[n - i - 1]!;
      }
      return result;
    }
    const selected = new Set<number>();
    while (result.length < k) {
      const draw = this.#below(n);
      if (selected.has(draw)) continue;
      selected.add(draw);
      result.push(draw);
    }
    return result;
  }
}
