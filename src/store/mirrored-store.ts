import { BlobError, type Store } from "./store.ts";

/** A store whose blobs also lie in a copy. */
export type MirroredStore = Store & Required<Pick<Store, "retire">>;

/**
 * The same store with a copy of it in another: every cell that this party writes or reads, every blob that it stores, every
 * update that it reads, and the head. `store` decides; the copy follows, and is complete again after a crash once the same
 * things pass again. A blob that passed once is read from the copy from then on, and so is one that `store` has lost.
 * What is retired stays in the copy alone.
 *
 * @param isTheirs tells whether a lost blob was this member's: the copy has one place for all, and a member may name the hash
 * of another's.
 */
export function mirroredStore(
  store: Store,
  copy: Store,
  isTheirs: (hash: string, owner: string) => Promise<boolean>,
): MirroredStore {
  const copied = new Set<string>();
  const copyCell = async (key: string, bytes: Uint8Array): Promise<Uint8Array> => {
    if (!copied.has(key)) await copy.create(key, bytes);
    copied.add(key);
    return bytes;
  };
  /** Blobs in the copy that `store` has, or had, of this owner: the hash of another's blob does not make it one's own. */
  const held = new Set<string>();
  const place = (hash: string, owner?: string): string => `${hash} ${owner ?? ""}`;
  let copiedHead: Uint8Array | undefined;
  const copyHead = async (bytes: Uint8Array): Promise<void> => {
    // The head is read at every look, and it changes once a round.
    if (copiedHead !== undefined && sameBytes(copiedHead, bytes)) return;
    const last = await copy.head();
    if (last === undefined || !sameBytes(last.bytes, bytes)) await copy.setHead(last?.revision ?? 0, bytes);
    copiedHead = bytes.slice();
  };
  return {
    ...store,
    async putBlob(bytes) {
      await copy.putBlob(bytes);
      const hash = await store.putBlob(bytes);
      held.add(place(hash));
      return hash;
    },
    async blob(hash, owner) {
      if (held.has(place(hash, owner))) {
        const bytes = await copy.blob(hash).catch(ifBlobError);
        if (bytes !== undefined) return bytes;
      }
      try {
        const bytes = await store.blob(hash, owner);
        if (owner !== undefined) {
          await copy.putBlob(bytes);
          held.add(place(hash, owner));
        }
        return bytes;
      } catch (error) {
        // A store that was lost and restored has no blobs of members.
        if (!(error instanceof BlobError)) throw error;
        if (owner !== undefined && !(await isTheirs(hash, owner))) throw error;
        return copy.blob(hash);
      }
    },
    async forget(hashes, owner) {
      for (const hash of hashes) held.delete(place(hash, owner));
      await store.forget(hashes, owner);
      await copy.forget(hashes);
    },
    async retire(hashes) {
      for (const hash of hashes) {
        if ((await copy.blob(hash).catch(ifBlobError)) === undefined) {
          const bytes = await store.blob(hash).catch(ifBlobError);
          if (bytes !== undefined) await copy.putBlob(bytes);
        }
        await store.forget([hash]);
      }
    },
    create: async (key, bytes) => copyCell(key, await store.create(key, bytes)),
    async read(key) {
      const bytes = await store.read(key);
      return bytes && copyCell(key, bytes);
    },
    async head() {
      const head = await store.head();
      if (head !== undefined) await copyHead(head.bytes);
      return head;
    },
    async setHead(expected, bytes) {
      const isFirst = await store.setHead(expected, bytes);
      if (isFirst) await copyHead(bytes);
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
