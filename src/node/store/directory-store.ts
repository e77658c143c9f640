import { createHash, randomUUID } from "node:crypto";
import { link, mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { UserError } from "../../diagnostics/user-error.ts";
import { setTimeout as sleep } from "node:timers/promises";
import { checkKey, type Store } from "../../store/store.ts";
import { errorCode } from "../../diagnostics/error-code.ts";
import { storageError, syncFolder, writeDurably } from "./durable-file.ts";

/** Age of a temporary file whose process must have died. */
const STALE_MS = 3_600_000;

/** Pauses between two looks for changes in a folder: the first, and the longest after a time without changes. */
const POLL_MS = 50;
const SLOWEST_POLL_MS = 1000;

async function guarded<T>(file: string, verb: "read" | "write", action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw storageError(file, verb, error);
  }
}

async function absentAs<T>(value: T, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (errorCode(error) === "ENOENT") return value;
    throw error;
  }
}

async function sweep(tmp: string): Promise<void> {
  for (const name of await readdir(tmp)) {
    const file = path.join(tmp, name);
    const age = Date.now() - (await absentAs(undefined, async () => stat(file)).then((s) => s?.mtimeMs ?? Date.now()));
    if (age > STALE_MS) await rm(file, { force: true });
  }
}

function readIfThere(file: string): Promise<Uint8Array | undefined> {
  return guarded(file, "read", () => absentAs<Uint8Array | undefined>(undefined, () => readFile(file)));
}

/**
 * Makes a store in a folder, for one process or several on one machine. The folder is made on first use. Files appear only as a
 * whole: written under `tmp/`, fsynced, then linked (write-once) or renamed to their name, and the folder fsynced.
 *
 * ```
 * blobs/3f/3fa9…         named by their sha256
 * cells/round-0003/close.json
 * heads/00000004.json    every value the head had; the last one counts
 * tmp/
 * ```
 */
export function directoryStore(root: string): Store {
  const ready = new Set<string>();

  /** Makes a folder with a durable name, and so all folders up to the root. */
  async function makeFolder(folder: string): Promise<void> {
    await mkdir(folder, { recursive: true });
    for (let at = path.resolve(folder); at !== path.dirname(path.resolve(root)); at = path.dirname(at)) {
      await syncFolder(path.dirname(at));
    }
  }

  async function ensureFolder(folder: string): Promise<void> {
    if (ready.has(folder)) return;
    await makeFolder(folder);
    ready.add(folder);
  }

  let swept: Promise<void> | undefined;

  /** Gives `place` a durable temporary file with `bytes`, then makes the file's new name durable. */
  async function write(
    file: string,
    bytes: Uint8Array,
    place: (temporary: string) => Promise<boolean>,
  ): Promise<boolean> {
    return guarded(file, "write", async () => {
      const tmp = path.join(root, "tmp");
      await ensureFolder(tmp);
      await ensureFolder(path.dirname(file));
      await (swept ??= sweep(tmp));
      const temporary = path.join(tmp, randomUUID());
      try {
        await writeDurably(temporary, bytes);
        return await place(temporary);
      } finally {
        await rm(temporary, { force: true });
        await syncFolder(path.dirname(file));
      }
    });
  }

  /** Writes a file that does not exist; true where this write was the first. */
  function writeOnce(file: string, bytes: Uint8Array): Promise<boolean> {
    return write(file, bytes, async (temporary) => {
      try {
        await link(temporary, file);
        return true;
      } catch (error) {
        if (errorCode(error) === "EEXIST") return false;
        throw error;
      }
    });
  }

  const blobFile = (hash: string): string => path.join(root, "blobs", hash.slice(0, 2), hash);
  const cellFile = (key: string): string => path.join(root, "cells", `${key}.json`);
  const headFile = (revision: number): string => path.join(root, "heads", `${String(revision).padStart(8, "0")}.json`);

  async function keysUnder(prefix: string): Promise<string[]> {
    const folder = path.join(root, "cells", prefix);
    const names = await guarded(folder, "read", () =>
      absentAs<string[]>([], () => readdir(folder, { recursive: true })),
    );
    return names
      .filter((name) => name.endsWith(".json"))
      .map((name) => prefix + name.slice(0, -".json".length).split(path.sep).join("/"))
      .sort();
  }

  async function revision(): Promise<number> {
    const folder = path.join(root, "heads");
    const names = await guarded(folder, "read", () => absentAs<string[]>([], () => readdir(folder)));
    // A file manager may have added files of its own.
    return Math.max(0, ...names.map((name) => Number(/^(\d{8})\.json$/.exec(name)?.[1] ?? 0)));
  }

  return {
    async putBlob(bytes) {
      const hash = sha256(bytes);
      const file = blobFile(hash);
      const stored = await readIfThere(file);
      if (stored === undefined || sha256(stored) !== hash) {
        await write(file, bytes, async (temporary) => rename(temporary, file).then(() => true));
      }
      return hash;
    },
    async blob(hash) {
      const file = blobFile(hash);
      const bytes = await readIfThere(file);
      const found = bytes && sha256(bytes);
      if (bytes === undefined || found !== hash) {
        const what = bytes === undefined ? "is missing" : `is damaged: its sha256 is ${found}, not its name`;
        throw new UserError("storage", `${file} ${what}.`, {
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
        if (await writeOnce(file, bytes)) return bytes.slice();
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
    async *changes(prefix, signal) {
      const told = new Set<string>();
      // File systems over a network report no changes; polling works on all.
      for (let quiet = POLL_MS; !signal.aborted; quiet = Math.min(quiet * 1.5, SLOWEST_POLL_MS)) {
        for (const key of await keysUnder(prefix)) {
          if (told.has(key)) continue;
          told.add(key);
          quiet = POLL_MS;
          yield key;
        }
        await sleep(quiet, undefined, { signal }).catch(() => undefined);
      }
    },
    async head() {
      const latest = await revision();
      if (latest === 0) return undefined;
      const file = headFile(latest);
      return { revision: latest, bytes: await guarded(file, "read", () => readFile(file)) };
    },
    async setHead(expected, bytes) {
      return (await revision()) === expected && (await writeOnce(headFile(expected + 1), bytes));
    },
  };
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
