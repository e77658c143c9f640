import { decodeGroups, encodeGroups } from "../../store/codec.ts";
import { type Store, keySegment } from "../../store/store.ts";
import { createMessage, readMessage } from "../../federation/protocol/cells.ts";
import { text } from "../../store/check.ts";
import { kindOf, type TrainingItem } from "../../data/items/registry.ts";
import { withReference } from "../../train/reference.ts";

/** A set of records: a client's for training or held out, or the common set. */
export interface ReferenceSet {
  readonly client: string;
  readonly set: "train" | "heldOut" | "heldOutPairs" | "validation" | "validationPairs";
}

export interface ReferenceCacheOptions {
  /** True where the objective has a reference; without one, items come back as they are. */
  readonly needed: boolean;
  /** The clients' own store: the base's log-probabilities of a client's records stay with the client. */
  readonly store: Store;
  /** Asks the base: the same items with their reference filled in. */
  readonly measure: <T extends TrainingItem>(items: readonly T[]) => Promise<readonly T[]>;
  /** Called before and after every chunk that has to be measured. */
  readonly onCount: (whose: ReferenceSet, done: number, of: number) => void;
  /** Called once a set is whole. */
  readonly onDone: (whose: ReferenceSet, records: number, seconds: number) => void;
}

/** Records that are measured and stored together: a crash loses one chunk's work at most. */
const CHUNK = 64;

/**
 * The frozen base's log-probabilities, measured once a record and kept in the run's store, so that neither a later round
 * nor a restart measures them again. A set's records and their order belong to the run's identity, so a chunk is known
 * by its place. Validation parts are measured at each start.
 */
export function referenceCache({ needed, store, measure, onCount, onDone }: ReferenceCacheOptions) {
  const filled = new Map<string, Promise<readonly TrainingItem[]>>();

  const chunkOf = async <T extends TrainingItem>(
    key: string,
    items: readonly T[],
    progress: (done: number) => void,
  ): Promise<readonly T[]> => {
    const hash = await readMessage(store, key, text);
    if (hash !== undefined) {
      const { data } = decodeGroups(await store.blob(hash), `the reference ${key}`)["reference"]!.get(
        "logProbabilities",
      )!;
      const width = data.length / items.length;
      return items.map((item, i) => withReference(item, [...data.subarray(width * i, width * (i + 1))]));
    }
    progress(0);
    const whole = await measure(items);
    const data = Float64Array.from(whole.flatMap((item) => kindOf(item).reference!.numbers(item)));
    const tensors = new Map([["logProbabilities", { shape: [items.length, data.length / items.length], data }]]);
    await createMessage(
      store,
      key,
      text,
      await store.putBlob(encodeGroups({ reference: tensors }, { kind: "reference" })),
    );
    progress(items.length);
    return whole;
  };

  const fill = async <T extends TrainingItem>(whose: ReferenceSet, items: readonly T[]): Promise<readonly T[]> => {
    const started = performance.now();
    const result: T[] = [];
    // Validation parts are no part of the run's identity: another start may bring other records.
    const isBound = whose.set !== "validation" && whose.set !== "validationPairs";
    for (let start = 0; start < items.length; start += CHUNK) {
      const chunk = items.slice(start, start + CHUNK);
      const key = `reference/${whose.set.toLowerCase()}/${keySegment(whose.client)}/${start / CHUNK}`;
      const progress = (done: number): void => onCount(whose, start + done, items.length);
      result.push(...(isBound ? await chunkOf(key, chunk, progress) : await measure(chunk)));
    }
    onDone(whose, items.length, (performance.now() - started) / 1000);
    return result;
  };

  return {
    /** The items with their reference; the second call for a set does nothing new. */
    async of<T extends TrainingItem>(whose: ReferenceSet, items: readonly T[]): Promise<readonly T[]> {
      if (!needed) return items;
      const key = JSON.stringify([whose.set, whose.client]);
      let found = filled.get(key);
      if (found === undefined) {
        found = fill(whose, items);
        filled.set(key, found);
        // One that failed, or was interrupted, is begun again.
        found.catch(() => filled.delete(key));
      }
      return (await found) as readonly T[];
    },
  };
}

export type ReferenceCache = ReturnType<typeof referenceCache>;
