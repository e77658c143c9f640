import type { RandomStream } from "../tensor/random.ts";
import type { Example } from "../train/example.ts";

/** The random stream of a key: `(...key) => stream(seed, ...key)`. */
export type RandomStreams = (...key: (string | number)[]) => Pick<RandomStream, "permutation">;

export interface ClientExamples {
  /** The client's name: no two clients go through their data in the same order. */
  readonly client: string;
  readonly examples: readonly Example[];
  readonly random: RandomStreams;
}

/**
 * The examples at positions `start` … `start + batchSize` − 1 of the endless concatenation of a client's epochs, each of
 * them every example once in an order of its own. A pure function of seed, client and position: where a client stopped
 * is one number, and no epoch is cut short by the end of a round.
 */
export function batchAt({ client, examples, random }: ClientExamples, start: number, batchSize: number): Example[] {
  const size = examples.length;
  if (size === 0) throw new RangeError(`client ${client} has no examples to take a batch from`);
  const batch: Example[] = [];
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
