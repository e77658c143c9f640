import type { Params, Tensor } from "../../tensor/params.ts";
import { formatShape, sameShape } from "../../tensor/shape.ts";
import { type LoraPair, loraPairs } from "./lora-pairs.ts";
import type { Updates } from "../aggregator.ts";

/** A run of numbers of one tensor. */
export interface Slice {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** Most numbers of a round's updates in memory at once, beside one whole update: 64 MiB in float64. */
export const NUMBERS_IN_MEMORY = 2 ** 23;

/** Cuts the numbers of tensors into chunks of at most `most`, in order. A tensor may lie in several chunks. */
export function chunksOf(like: Params, most: number): Slice[][] {
  const size = Math.max(1, Math.floor(most));
  const chunks: Slice[][] = [];
  let room = 0;
  for (const [name, { data }] of like) {
    for (let from = 0; from < data.length;) {
      if (room === 0) {
        chunks.push([]);
        room = size;
      }
      const to = Math.min(data.length, from + room);
      chunks.at(-1)!.push({ name, from, to });
      room -= to - from;
      from = to;
    }
  }
  return chunks;
}

/** Groups LoRA pairs into chunks of at most `most` numbers, and of at least one pair. */
export function pairChunks(like: Params, most: number): LoraPair[][] {
  const chunks: LoraPair[][] = [];
  let room = 0;
  for (const pair of loraPairs(like).pairs) {
    const size = like.get(pair.a)!.data.length + like.get(pair.b)!.data.length;
    if (chunks.length === 0 || size > room) {
      chunks.push([]);
      room = most;
    }
    chunks.at(-1)!.push(pair);
    room -= size;
  }
  return chunks;
}

/**
 * Reads the numbers of a chunk of every update: one vector an update, in float64. Each update is read once. Throws an Error that
 * names the tensor where an update does not have the shape of `like`.
 */
export async function columnsOf(
  updates: Updates,
  group: string,
  like: Params,
  chunk: readonly Slice[],
): Promise<Float64Array[]> {
  const size = chunk.reduce((sum, { from, to }) => sum + to - from, 0);
  const columns: Float64Array[] = [];
  for (const place of updates.entries.keys()) {
    const params = (await updates.read(place))[group]!;
    const column = new Float64Array(size);
    let at = 0;
    for (const { name, from, to } of chunk) {
      column.set(tensorLike(like, params, name).data.subarray(from, to), at);
      at += to - from;
    }
    columns.push(column);
  }
  return columns;
}

function tensorLike(like: Params, params: Params, name: string): Tensor {
  const { shape } = like.get(name)!;
  const tensor = params.get(name);
  if (tensor === undefined) throw new Error(`tensor ${name}: missing in an update`);
  if (sameShape(tensor.shape, shape)) return tensor;
  throw new Error(`tensor ${name}: ${formatShape(tensor.shape)} in an update, expected ${formatShape(shape)}`);
}
