import { randomUUID } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import path from "node:path";
import { errorCode } from "../../diagnostics/error-code.ts";
import { UserError } from "../../diagnostics/user-error.ts";

const WORDS: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EACCES: "access is denied",
  EPERM: "the file system does not allow it",
  EROFS: "the file system is read-only",
  ENOTDIR: "a part of the path is a file, not a folder",
  EEXIST: "there is a file where a folder must be",
  EISDIR: "there is a folder where a file must be",
  ENOENT: "a folder of the path is missing and cannot be made",
  ENAMETOOLONG: "a name in it is too long",
  EIO: "the disk reports an error",
  EMFILE: "too many files are open",
};

/** Explains in words why a file operation failed. */
export function storageReason(error: unknown): string {
  const errno = errorCode(error);
  if (errno === undefined) return error instanceof Error ? error.message : String(error);
  const words = WORDS[errno];
  return words === undefined ? errno : `${words} (${errno})`;
}

/** Makes the `UserError` of kind `storage` for a failed file operation at `file`; any other error is returned unchanged. */
export function storageError(file: string, verb: "read" | "write", error: unknown): unknown {
  if (errorCode(error) === undefined) return error;
  return new UserError("storage", `Cannot ${verb} ${file}: ${storageReason(error)}`, {
    hint: "Correct the problem, then run the same command again to continue.",
    cause: error,
  });
}

/** Makes the names inside a folder durable. Windows cannot open folders and does not need this call. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A file's content, or its parts in their order. */
type Content = Uint8Array | string | Iterable<Uint8Array>;

/** Writes a new file and makes its content durable, but not yet its name. @param mode access rights; default: the process's. */
export async function writeDurably(file: string, content: Content, mode?: number): Promise<void> {
  const handle = await open(file, "wx", mode);
  try {
    if (typeof content === "string" || content instanceof Uint8Array) await handle.writeFile(content);
    else for (const part of content) await handle.writeFile(part);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Replaces a file's content durably: a reader, also after a crash, finds the old content or the new one, never a part.
 *
 * @throws UserError("storage") where it cannot be written, such as on a full disk.
 */
export async function writeAtomically(file: string, content: Content, mode?: number): Promise<void> {
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    await writeDurably(temporary, content, mode);
    await rename(temporary, file);
    await syncFolder(path.dirname(file));
  } catch (error) {
    throw storageError(file, "write", error);
  } finally {
    await rm(temporary, { force: true }).catch(() => {});
  }
}
