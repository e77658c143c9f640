import type { RuntimeTensor } from "../train/runtime.ts";

/** The places of a head are fed in multiples of this number, so a short sequence in a large cache is not read to its end. */
const STEP = 64;

interface CacheShape {
  /** Keys and values of a layer are two. */
  readonly tensors: number;
  readonly rows: number;
  readonly heads: number;
  readonly headDim: number;
  /** Positions that a row can hold. */
  readonly capacity: number;
}

/**
 * Keys and values of several sequences, one a row. It is changed in place: a copy for each token would cost more than the
 * token. Each tensor is [rows, heads, places, headDim] in the front of its memory; `places` grows as the rows do.
 */
export class KeyValueCache {
  /** Filled places of each row. */
  readonly lengths: number[];
  readonly #shape: CacheShape;
  readonly #tensors: readonly Float32Array[];
  #places: number;

  constructor(shape: CacheShape) {
    const { tensors, rows, heads, headDim, capacity } = shape;
    this.#shape = shape;
    this.#places = Math.min(STEP, capacity);
    this.lengths = Array.from({ length: rows }, () => 0);
    this.#tensors = Array.from({ length: tensors }, () => new Float32Array(rows * heads * capacity * headDim));
  }

  /** Returns some rows as a decoding graph takes them. */
  view(first: number, rows: number): RuntimeTensor[] {
    const { heads, headDim, tensors } = this.#shape;
    const empty = this.lengths.slice(first, first + rows).every((length) => length === 0);
    // A prompt attends to no cached position, but the graph needs a place.
    if (empty) {
      const shape = [rows, heads, 1, headDim];
      const data = new Float32Array(rows * heads * headDim);
      return Array.from({ length: tensors }, () => ({ shape, data }));
    }
    const size = heads * this.#places * headDim;
    const shape = [rows, heads, this.#places, headDim];
    return this.#tensors.map((tensor) => ({ shape, data: tensor.subarray(first * size, (first + rows) * size) }));
  }

  /** Appends to each row from `first` on the front of its part of `fresh`, [tensors, rows, heads, length, headDim]. */
  append(first: number, fresh: Float32Array, counts: readonly number[]): void {
    const { tensors, heads, headDim } = this.#shape;
    this.#grow(Math.max(...counts.map((count, row) => this.lengths[first + row]! + count)));
    const width = fresh.length / (tensors * counts.length * heads);
    this.#tensors.forEach((tensor, t) => {
      counts.forEach((count, row) => {
        for (let head = 0; head < heads; head++) {
          const from = ((t * counts.length + row) * heads + head) * width;
          const to = (((first + row) * heads + head) * this.#places + this.lengths[first + row]!) * headDim;
          tensor.set(fresh.subarray(from, from + count * headDim), to);
        }
      });
    });
    counts.forEach((count, row) => (this.lengths[first + row]! += count));
  }

  clear(row: number): void {
    this.truncate(row, 0);
  }

  /** Removes the places of a row after its first `length`. */
  truncate(row: number, length: number): void {
    this.lengths[row] = length;
  }

  /** Copies the row `from` over the row `to`. */
  move(from: number, to: number): void {
    const size = this.#shape.heads * this.#places * this.#shape.headDim;
    for (const tensor of this.#tensors) tensor.copyWithin(to * size, from * size, (from + 1) * size);
    this.lengths[to] = this.lengths[from]!;
  }

  /** Spreads the heads so that each has at least `needed` places. The last moves first, so none is written over before it moves. */
  #grow(needed: number): void {
    const { rows, heads, headDim, capacity } = this.#shape;
    if (needed > capacity) throw new Error(`a cache of ${capacity} places cannot hold ${needed}`);
    const places = Math.min(capacity, Math.ceil(needed / STEP) * STEP);
    if (places <= this.#places) return;
    const [from, to] = [this.#places * headDim, places * headDim];
    for (const tensor of this.#tensors) {
      for (let i = rows * heads - 1; i > 0; i--) tensor.copyWithin(i * to, i * from, (i + 1) * from);
    }
    this.#places = places;
  }
}
