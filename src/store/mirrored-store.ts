import { Background } from "../concurrency/background.ts";
import { Semaphore } from "../concurrency/semaphore.ts";
import { BlobError, type Store } from "./store.ts";

/** A store whose blobs also lie in a copy. */
export type MirroredStore = Store &
  Required<Pick<Store, "retire">> & {
    /** Waits until the copy has everything that passed. @throws where it could not be written. */
    settled(): Promise<void>;
  };

/**
 * The same store with a copy of it in another: every cell that this party writes or reads, every blob that it stores, every
 * update that it reads, and the head. `store` decides; the copy follows beside, and is complete before this party writes the
 * next cell, head or blob. After a crash it is complete again once the same things pass again. A blob that passed once is read
 * from the copy from then on, and so is one that `store` has lost. What is retired stays in the copy alone.
 *
 * @param isTheirs tells whether a lost blob was this member's: the copy has one place for all, and a member may name the hash
 * of another's.
 */
export function mirroredStore(
  store: Store,
  copy: Store,
  isTheirs: (hash: string, owner: string) => Promise<boolean>,
): MirroredStore {
  const copying = new Background();
  const copied = new Set<string>();
  const copyCell = (key: string, bytes: Uint8Array): Uint8Array => {
    if (copied.has(key)) return bytes;
    copied.add(key);
    const kept = bytes.slice();
    copying.start(() => copy.create(key, kept));
    return bytes;
  };
  /** Blobs in the copy that `store` has, or had, of this owner: the hash of another's blob does not make it one's own. */
  const held = new Set<string>();
  const place = (hash: string, owner?: string): string => `${hash} ${owner ?? ""}`;
  let copiedHead: Uint8Array | undefined;
  /** Heads are copied one after another: each names the one before. */
  const headTurn = new Semaphore(1);
  const copyHead = (bytes: Uint8Array): void => {
    // The head is read at every look, and it changes once a round.
    if (copiedHead !== undefined && sameBytes(copiedHead, bytes)) return;
    const next = (copiedHead = bytes.slice());
    copying.start(async () => {
      const leave = await headTurn.acquire();
      try {
        const last = await copy.head();
        if (last === undefined || !sameBytes(last.bytes, next)) await copy.setHead(last?.revision ?? 0, next);
      } finally {
        leave();
      }
    });
  };
  return {
    ...store,
    settled: () => copying.settled(),
    async putBlob(bytes) {
      const [hash] = await Promise.all([store.putBlob(bytes), copy.putBlob(bytes), copying.settled()]);
      held.add(place(hash));
      return hash;
    },
    async blob(hash, owner) {
      if (held.has(place(hash, owner))) {
        await copying.settled();
        const bytes = await copy.blob(hash).catch(ifBlobError);
        if (bytes !== undefined) return bytes;
      }
      try {
        const bytes = await store.blob(hash, owner);
        if (owner !== undefined) {
          const kept = bytes.slice();
          copying.start(() => copy.putBlob(kept));
          held.add(place(hash, owner));
        }
        return bytes;
      } catch (error) {
        // A store that was lost and restored has no blobs of members.
        if (!(error instanceof BlobError)) throw error;
        await copying.settled();
        if (owner !== undefined && !(await isTheirs(hash, owner))) throw error;
        return copy.blob(hash);
      }
    },
    async forget(hashes, owner) {
      for (const hash of hashes) held.delete(place(hash, owner));
      await copying.settled();
      await Promise.all([store.forget(hashes, owner), copy.forget(hashes)]);
    },
    async retire(hashes) {
      await copying.settled();
      for (const hash of hashes) {
        if ((await copy.blob(hash).catch(ifBlobError)) === undefined) {
          const bytes = await store.blob(hash).catch(ifBlobError);
          if (bytes !== undefined) await copy.putBlob(bytes);
        }
        await store.forget([hash]);
      }
    },
    async create(key, bytes) {
      await copying.settled();
      return copyCell(key, await store.create(key, bytes));
    },
    async read(key) {
      const bytes = await store.read(key);
      return bytes && copyCell(key, bytes);
    },
    async head() {
      const head = await store.head();
      if (head !== undefined) copyHead(head.bytes);
      return head;
    },
    async setHead(expected, bytes) {
      await copying.settled();
      const isFirst = await store.setHead(expected, bytes);
      if (isFirst) copyHead(bytes);
      return isFirst;
    },
  };
}

function ifBlobError(error: unknown): undefined {
  if (!(error instanceof BlobError)) throw error;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
