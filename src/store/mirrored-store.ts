import { BlobError, type Store } from "./store.ts";

/**
 * The same store with a copy of it in another: every cell that this party writes or reads, every blob that it stores, every
 * update that it reads, and the head. `store` decides; the copy follows, and is complete again after a crash once the same
 * things pass again. A blob that `store` has lost comes from the copy.
 */
export function mirroredStore(store: Store, copy: Store): Store {
  const copied = new Set<string>();
  const copyCell = async (key: string, bytes: Uint8Array): Promise<Uint8Array> => {
    if (!copied.has(key)) await copy.create(key, bytes);
    copied.add(key);
    return bytes;
  };
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
      return store.putBlob(bytes);
    },
    async blob(hash, owner) {
      try {
        const bytes = await store.blob(hash, owner);
        if (owner !== undefined) await copy.putBlob(bytes);
        return bytes;
      } catch (error) {
        // A store that was lost and restored has no blobs of members.
        if (error instanceof BlobError) return copy.blob(hash);
        throw error;
      }
    },
    async forget(hashes, owner) {
      await store.forget(hashes, owner);
      await copy.forget(hashes);
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

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
