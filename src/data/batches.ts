import { PythonRandom } from "../tensor/python-random.ts";
import type { RandomStream } from "../tensor/random.ts";

/** The random stream of a key: `(...key) => stream(seed, ...key)`. */
export type RandomStreams = (...key: (string | number)[]) => Pick<RandomStream, "permutation">;

export interface ClientExamples<T> {
  /** The client's name. It decides the order, so no two clients go through their data in the same order. */
  readonly client: string;
  readonly examples: readonly T[];
  readonly random: RandomStreams;
}

/**
 * Takes the examples at positions `start` … `start + batchSize` − 1 of a client's epochs, one epoch after the other. Each
 * epoch has every example once, in an order of its own. The result is a pure function of seed, client and position. So one
 * number says where a client stopped, and the end of a round does not cut an epoch short.
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
 * Chooses a client-round's records as OpenFedLLM does (`utils/utils.py`, get_dataset_this_round). The positions are the
 * same for all clients of one size. They are drawn anew each round and do not depend on earlier rounds. A round that needs
 * more records goes through them again from the front. Their order within a round is ours: the original's is torch's.
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
