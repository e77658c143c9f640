import type { MemberStore } from "./store.ts";

/** Cells that are kept at most; the oldest go first. */
const CELLS = 4096;

/**
 * The same store, but a cell that this process wrote or read is not read again: it can never change. Coordinator and
 * participants look at the same few cells again and again. `keeps`: the cells that it does so with; default: all.
 */
export function cachedCells<S extends MemberStore>(store: S, keeps: (key: string) => boolean = () => true): S {
  const cells = new Map<string, Uint8Array>();
  const keep = (key: string, bytes: Uint8Array): Uint8Array => {
    if (!keeps(key)) return bytes;
    if (cells.size >= CELLS) for (const oldest of cells.keys()) if (cells.delete(oldest)) break;
    cells.set(key, bytes.slice());
    return bytes;
  };
  const cached: Pick<MemberStore, "create" | "read"> = {
    async create(key, bytes) {
      return cells.get(key)?.slice() ?? keep(key, await store.create(key, bytes));
    },
    async read(key) {
      const known = cells.get(key) ?? (await store.read(key));
      return known === undefined || cells.has(key) ? known?.slice() : keep(key, known);
    },
  };
  return { ...store, ...cached };
}
