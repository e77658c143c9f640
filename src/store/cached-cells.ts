import type { Store } from "./store.ts";

/** Cells that are kept at most; the oldest go first. */
const CELLS = 4096;

/**
 * The same store, but a cell that this process wrote or read is not read again: it can never change. Coordinator and
 * participants look at the same few cells again and again.
 */
export function cachedCells(store: Store): Store {
  const cells = new Map<string, Uint8Array>();
  const keep = (key: string, bytes: Uint8Array): Uint8Array => {
    if (cells.size >= CELLS) for (const oldest of cells.keys()) if (cells.delete(oldest)) break;
    cells.set(key, bytes.slice());
    return bytes;
  };
  return {
    putBlob: (bytes) => store.putBlob(bytes),
    blob: (hash, owner) => store.blob(hash, owner),
    forget: (hashes, owner) => store.forget(hashes, owner),
    list: (prefix) => store.list(prefix),
    watch: (prefix) => store.watch(prefix),
    head: () => store.head(),
    setHead: (expected, bytes) => store.setHead(expected, bytes),
    async create(key, bytes) {
      return cells.get(key)?.slice() ?? keep(key, await store.create(key, bytes));
    },
    async read(key) {
      const known = cells.get(key) ?? (await store.read(key));
      return known === undefined || cells.has(key) ? known?.slice() : keep(key, known);
    },
  };
}
