import { z } from "zod";
import { parameterCount, type Params } from "../tensor/params.ts";
import { damaged, inOrder, type PackedReader, type PackedWriter, varintBytes } from "./packed.ts";

/** A setting of the codecs that send a part of the numbers. */
export const SHARE = z
  .number()
  .gt(0)
  .max(1)
  .optional()
  .describe("Share of the numbers of an update that are sent. Default: 0.01.");

export const DEFAULT_SHARE = 0.01;

/** How many of n numbers are sent: a share, at least one. */
export function kept(n: number, share: number): number {
  return n === 0 ? 0 : Math.max(1, Math.floor(n * share));
}

/** The numbers of a group as one vector, its tensors by name. */
export function flattened(group: Params): Float64Array {
  const tensors = inOrder({ group }).map(({ tensor }) => tensor.data);
  const flat = new Float64Array(parameterCount(group));
  let at = 0;
  for (const data of tensors) {
    flat.set(data, at);
    at += data.length;
  }
  return flat;
}

/** The parts of such a vector that are the tensors of `group`, by name. They share its memory. */
export function unflattened(flat: Float64Array, group: Params): Float64Array[] {
  let at = 0;
  return inOrder({ group }).map(({ tensor }) => flat.subarray(at, (at += tensor.data.length)));
}

/** The indices of the k largest magnitudes, ascending; of equal ones the lower indices. */
export function largestIndices(values: Float64Array, k: number): Uint32Array {
  const magnitudes = Float64Array.from(values, Math.abs);
  const threshold = k === 0 ? 0 : ascending(magnitudes.slice(), magnitudes.length - k);
  let ties = k;
  for (const magnitude of magnitudes) if (magnitude > threshold) ties--;
  const chosen = new Uint32Array(k);
  let count = 0;
  for (let i = 0; i < magnitudes.length && count < k; i++) {
    const magnitude = magnitudes[i]!;
    if (magnitude > threshold || (magnitude === threshold && ties-- > 0)) chosen[count++] = i;
  }
  return chosen;
}

/** The value at `place` of the sorted values, which it reorders (Hoare 1961, "Algorithm 65: Find"). */
function ascending(values: Float64Array, place: number): number {
  let [low, high] = [0, values.length - 1];
  while (low < high) {
    const pivot = values[(low + high) >> 1]!;
    let [i, j] = [low, high];
    while (i <= j) {
      while (values[i]! < pivot) i++;
      while (values[j]! > pivot) j--;
      if (i > j) break;
      const held = values[i]!;
      values[i++] = values[j]!;
      values[j--] = held;
    }
    if (place <= j) high = j;
    else if (place >= i) low = i;
    else break;
  }
  return values[place]!;
}

const GAPS = 0;
const BITMAP = 1;

/**
 * Writes ascending indices below n: the gaps between them as LEB128, the first being the index itself and each other the
 * difference less 1; or a bitmap, the lowest bit first, where that is shorter.
 */
export function writeIndices(writer: PackedWriter, indices: Uint32Array, n: number): void {
  const gaps = Array.from(indices, (index, i) => (i === 0 ? index : index - indices[i - 1]! - 1));
  const bytes = gaps.reduce((sum, gap) => sum + varintBytes(gap), 0);
  if (bytes <= Math.ceil(n / 8)) {
    writer.uint8(GAPS);
    for (const gap of gaps) writer.varint(gap);
    return;
  }
  const bitmap = new Uint8Array(Math.ceil(n / 8));
  for (const index of indices) bitmap[index >> 3]! |= 1 << (index & 7);
  writer.uint8(BITMAP);
  writer.bytes(bitmap);
}

/** Reads k ascending indices below n. */
export function readIndices(reader: PackedReader, k: number, n: number): Uint32Array {
  const indices = new Uint32Array(k);
  const form = reader.uint8();
  if (form === GAPS) {
    for (let i = 0, next = 0; i < k; i++, next++) {
      next += reader.varint();
      if (next >= n) throw damaged(`it names the number ${next} of ${n}`);
      indices[i] = next;
    }
    return indices;
  }
  if (form !== BITMAP) throw damaged("its indices are in no form of ours");
  const bitmap = reader.bytes(Math.ceil(n / 8));
  let count = 0;
  for (let i = 0; i < 8 * bitmap.length; i++) {
    if (((bitmap[i >> 3]! >> (i & 7)) & 1) === 0) continue;
    if (i >= n || count === k) throw damaged(`its bitmap does not name ${k} of ${n} numbers`);
    indices[count++] = i;
  }
  if (count < k) throw damaged(`its bitmap does not name ${k} of ${n} numbers`);
  return indices;
}
