import { randomUUID } from "node:crypto";
import { link, mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { errorCode } from "../../diagnostics/error-code.ts";
import { storageError, syncFolder, writeDurably } from "./durable-file.ts";

/** Age of a temporary file whose process must have died. */
const STALE_MS = 3_600_000;

/**
 * A folder whose files appear only as a whole and durably: written under `tmp/`, fsynced, then linked (write-once) or renamed
 * to their name, and their folder fsynced. It is made on first use. Methods throw a `UserError` of kind `storage`.
 */
export class DurableFolder {
  readonly #root: string;
  readonly #mode: number | undefined;
  readonly #ready = new Set<string>();
  #swept: Promise<void> | undefined;

  /** @param mode access rights of its files; default: the process's. */
  constructor(root: string, mode?: number) {
    this.#root = root;
    this.#mode = mode;
  }

  /** Writes a file that does not exist; true where this write was the first. */
  writeOnce(file: string, bytes: Uint8Array): Promise<boolean> {
    return this.#write(file, bytes, async (temporary) => {
      try {
        await link(temporary, file);
        return true;
      } catch (error) {
        if (errorCode(error) === "EEXIST") return false;
        throw error;
      }
    });
  }

  /** Writes a file, or replaces it. */
  async replace(file: string, bytes: Uint8Array): Promise<void> {
    await this.#write(file, bytes, (temporary) => rename(temporary, file));
  }

  /** Gives `place` a durable temporary file with `bytes`, then makes the file's new name durable. */
  #write<T>(file: string, bytes: Uint8Array, place: (temporary: string) => Promise<T>): Promise<T> {
    return guarded(file, "write", async () => {
      const tmp = path.join(this.#root, "tmp");
      await this.#ensure(tmp);
      await this.#ensure(path.dirname(file));
      await (this.#swept ??= sweep(tmp));
      const temporary = path.join(tmp, randomUUID());
      try {
        await writeDurably(temporary, bytes, this.#mode);
        return await place(temporary);
      } finally {
        await rm(temporary, { force: true });
        await syncFolder(path.dirname(file));
      }
    });
  }

  /** Makes a folder with a durable name, and so all folders up to the root. */
  async #ensure(folder: string): Promise<void> {
    if (this.#ready.has(folder)) return;
    await mkdir(folder, { recursive: true });
    for (let at = path.resolve(folder); at !== path.dirname(path.resolve(this.#root)); at = path.dirname(at)) {
      await syncFolder(path.dirname(at));
    }
    this.#ready.add(folder);
  }
}

/** Does a file operation. @throws UserError of kind `storage` where it fails. */
export async function guarded<T>(file: string, verb: "read" | "write", action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw storageError(file, verb, error);
  }
}

/** Does a file operation; gives `value` where the file does not exist. */
export async function absentAs<T>(value: T, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (errorCode(error) === "ENOENT") return value;
    throw error;
  }
}

/** Reads a file; undefined where it does not exist. */
export function readIfThere(file: string): Promise<Uint8Array | undefined> {
  return guarded(file, "read", () => absentAs<Uint8Array | undefined>(undefined, () => readFile(file)));
}

async function sweep(tmp: string): Promise<void> {
  for (const name of await readdir(tmp)) {
    const file = path.join(tmp, name);
    const age = Date.now() - (await absentAs(undefined, async () => stat(file)).then((s) => s?.mtimeMs ?? Date.now()));
    if (age > STALE_MS) await rm(file, { force: true });
  }
}
