import { Notifier } from "../concurrency/notifier.ts";
import { sha256 } from "../tensor/sha256.ts";
import { BlobError, checkKey, type Head, type Store } from "./store.ts";

/** A store that lives as long as the process: tests, notebooks, a page in a browser. */
export function memoryStore(): Store {
  const blobs = new Map<string, Uint8Array>();
  const cells = new Map<string, Uint8Array>();
  const watchers = new Map<Notifier, string>();
  let head: Head | undefined;

  return {
    async putBlob(bytes) {
      const copy = bytes.slice();
      const hash = await sha256(copy);
      blobs.set(hash, copy);
      return hash;
    },
    async blob(hash) {
      const bytes = blobs.get(hash);
      if (bytes === undefined) throw new BlobError(`Blob ${hash} is not in the store.`);
      return bytes.slice();
    },
    async forget(hashes) {
      for (const hash of hashes) blobs.delete(hash);
    },
    async create(key, bytes) {
      checkKey(key);
      if (!cells.has(key)) {
        cells.set(key, bytes.slice());
        for (const [notifier, prefix] of watchers) if (key.startsWith(prefix)) notifier.notify();
      }
      return cells.get(key)!.slice();
    },
    async read(key) {
      checkKey(key);
      return cells.get(key)?.slice();
    },
    async list(prefix) {
      return keysUnder(cells, prefix);
    },
    async watch(prefix) {
      const notifier = new Notifier();
      watchers.set(notifier, prefix);
      return { next: (options) => notifier.wait(options), close: () => void watchers.delete(notifier) };
    },
    async head() {
      return head && { ...head, bytes: head.bytes.slice() };
    },
    async setHead(expected, bytes) {
      if ((head?.revision ?? 0) !== expected) return false;
      head = { revision: expected + 1, bytes: bytes.slice() };
      return true;
    },
  };
}

function keysUnder(cells: ReadonlyMap<string, unknown>, prefix: string): string[] {
  return [...cells.keys()].filter((key) => key.startsWith(prefix)).sort();
}
