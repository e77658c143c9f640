import { PythonRandom } from "../tensor/python-random.ts";
import type { RandomStream } from "../tensor/random.ts";

/** The random stream of a key: `(...key) => stream(seed, ...key)`. */
export type RandomStreams = (...key: (string | number)[]) => Pick<RandomStream, "permutation">;

export interface ClientExamples<T> {
  /** The client's name: no two clients go through their data in the same order. */
  readonly client: string;
  readonly examples: readonly T[];
  readonly random: RandomStreams;
}

/**
 * The examples at positions `start` … `start + batchSize` − 1 of the endless concatenation of a client's epochs, each of
 * them every example once in an order of its own. A pure function of seed, client and position: where a client stopped
 * is one number, and no epoch is cut short by the end of a round.
 */
export function batchAt<T>({ client, examples, random }: ClientExamples<T>, start: number, batchSize: number): T[] {
  const size = examples.length;
  if (size === 0) throw new RangeError(`client ${client} has no examples to take a batch from`);
  const batch: T[] = [];
  let epoch = -1;
  let order = new Int32Array();
  for (let position = start; position < start + batchSize; position++) {
    if (Math.floor(position / size) !== epoch) {
      epoch = Math.floor(position / size);
      order = random("order", client, epoch).permutation(size) as Int32Array<ArrayBuffer>;
    }
    batch.push(examples[order[position % size]!]!);
  }
  return batch;
}

/**
 * OpenFedLLM's choice of a client-round's records (`utils/utils.py`, get_dataset_this_round): the same positions for
 * all clients of one size, drawn anew each round, without regard to what came before; gone through again from the front
 * where there are fewer than the round needs. Their order within a round is ours: the original's is torch's.
 */
export function originalSample<T>(
  examples: readonly T[],
  round: number,
  needed: number,
): (start: number, batchSize: number) => T[] {
  const positions = new PythonRandom(round - 1).sample(examples.length, Math.min(needed, examples.length));
  return (start, batchSize) =>
    Array.from({ length: batchSize }, (_, i) => examples[positions[(start + i) % positions.length]!]!);
}
