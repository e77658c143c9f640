import { createHash } from "node:crypto";
import { readdir, readFile, rm } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BlobError, checkKey, type Store } from "../../store/store.ts";
import { syncFolder } from "./durable-file.ts";
import { absentAs, DurableFolder, guarded, readIfThere } from "./durable-folder.ts";

/** Access rights: read and write for the owner. */
const OWNER_ONLY = 0o600;

/** Pauses between two looks for changes in a folder: the first, and the longest after a time without changes. */
const POLL_MS = 50;
const SLOWEST_POLL_MS = 1000;

/**
 * Makes a store in a folder, for one process or several on one machine. The folder is made on first use, and
 * files appear only as a whole (`DurableFolder`).
 *
 * ```
 * blobs/3f/3fa9…         named by their sha256
 * cells/round-0003/close.json
 * heads/00000004.json    every value the head had; the last one counts
 * tmp/
 * ```
 *
 * With `ownerOnly` nobody but the owner can read what is written: for stores with secret keys in them.
 */
export function directoryStore(root: string, { ownerOnly = false }: { readonly ownerOnly?: boolean } = {}): Store {
  const folder = new DurableFolder(root, ownerOnly ? OWNER_ONLY : undefined);
  const blobFile = (hash: string): string => path.join(root, "blobs", hash.slice(0, 2), hash);
  const cellFile = (key: string): string => path.join(root, "cells", `${key}.json`);
  const headFile = (revision: number): string => path.join(root, "heads", `${String(revision).padStart(8, "0")}.json`);

  async function keysUnder(prefix: string): Promise<string[]> {
    const cells = path.join(root, "cells", prefix);
    const names = await guarded(cells, "read", () => absentAs<string[]>([], () => readdir(cells, { recursive: true })));
    return names
      .filter((name) => name.endsWith(".json"))
      .map((name) => prefix + name.slice(0, -".json".length).split(path.sep).join("/"))
      .sort();
  }

  async function revision(): Promise<number> {
    const heads = path.join(root, "heads");
    const names = await guarded(heads, "read", () => absentAs<string[]>([], () => readdir(heads)));
    // A file manager may have added files of its own.
    return Math.max(0, ...names.map((name) => Number(/^(\d{8})\.json$/.exec(name)?.[1] ?? 0)));
  }

  return {
    async putBlob(bytes) {
      const hash = sha256(bytes);
      const file = blobFile(hash);
      const stored = await readIfThere(file);
      if (stored === undefined || sha256(stored) !== hash) {
        await folder.replace(file, bytes);
      }
      return hash;
    },
    async blob(hash) {
      const file = blobFile(hash);
      const bytes = await readIfThere(file);
      const found = bytes && sha256(bytes);
      if (bytes === undefined || found !== hash) {
        const what = bytes === undefined ? "is missing" : `is damaged: its sha256 is ${found}, not its name`;
        throw new BlobError(`${file} ${what}.`, {
          hint: "Put the file back from a copy of the run folder, or start the run in a new folder.",
        });
      }
      return bytes;
    },
    async forget(hashes) {
      for (const hash of hashes) {
        const file = blobFile(hash);
        await guarded(file, "write", () => rm(file, { force: true }));
      }
    },
    async create(key, bytes) {
      checkKey(key);
      const file = cellFile(key);
      const winner = await readIfThere(file);
      if (winner === undefined) {
        if (await folder.writeOnce(file, bytes)) return bytes.slice();
        return guarded(file, "read", () => readFile(file));
      }
      // Its writer may have died before it did this.
      await guarded(file, "write", () => syncFolder(path.dirname(file)));
      return winner;
    },
    async read(key) {
      checkKey(key);
      return readIfThere(cellFile(key));
    },
    list: keysUnder,
    async watch(prefix) {
      let known = (await keysUnder(prefix)).length;
      return {
        // File systems over a network report no changes; polling works on all. Cells are never deleted, so counting is enough.
        async next({ signal, milliseconds = Number.POSITIVE_INFINITY } = {}) {
          const end = performance.now() + milliseconds;
          for (let pause = POLL_MS; ; pause = Math.min(pause * 1.5, SLOWEST_POLL_MS)) {
            if (signal?.aborted) return;
            const found = (await keysUnder(prefix)).length;
            const left = end - performance.now();
            if (found !== known || left <= 0) {
              known = found;
              return;
            }
            await sleep(Math.min(pause, left), undefined, signal && { signal }).catch(() => undefined);
          }
        },
        close() {},
      };
    },
    async head() {
      const latest = await revision();
      if (latest === 0) return undefined;
      const file = headFile(latest);
      return { revision: latest, bytes: await guarded(file, "read", () => readFile(file)) };
    },
    async setHead(expected, bytes) {
      return (await revision()) === expected && (await folder.writeOnce(headFile(expected + 1), bytes));
    },
  };
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
