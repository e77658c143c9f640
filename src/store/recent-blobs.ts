import type { Store } from "./store.ts";

/**
 * The same store, but blobs that passed lately are not read and checked again: a coordinator looks at each update when it comes,
 * and aggregates it later. It keeps blobs of `most` bytes together, the latest ones.
 */
export function recentBlobs<S extends Store>(store: S, most: number): S {
  const kept = new Map<string, Uint8Array>();
  let total = 0;
  const place = (hash: string, owner?: string): string => `${hash} ${owner ?? ""}`;
  const drop = (key: string): void => {
    total -= kept.get(key)?.length ?? 0;
    kept.delete(key);
  };
  const keep = (key: string, bytes: Uint8Array): void => {
    drop(key);
    if (bytes.length > most) return;
    kept.set(key, bytes);
    total += bytes.length;
    for (const oldest of kept.keys()) {
      if (total <= most) break;
      drop(oldest);
    }
  };
  return {
    ...store,
    async putBlob(bytes: Uint8Array) {
      const hash = await store.putBlob(bytes);
      keep(place(hash), bytes.slice());
      return hash;
    },
    async blob(hash: string, owner?: string) {
      const known = kept.get(place(hash, owner));
      if (known !== undefined) return known.slice();
      const bytes = await store.blob(hash, owner);
      keep(place(hash, owner), bytes.slice());
      return bytes;
    },
    forget(hashes: readonly string[], owner?: string) {
      for (const hash of hashes) drop(place(hash, owner));
      return store.forget(hashes, owner);
    },
    ...(store.retire !== undefined && {
      retire(hashes: readonly string[]) {
        for (const hash of hashes) drop(place(hash));
        return store.retire!(hashes);
      },
    }),
  };
}
