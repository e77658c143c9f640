import { randomUUID } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import path from "node:path";
import { UserError } from "../../diagnostics/user-error.ts";

const WORDS: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EACCES: "access is denied",
  EPERM: "the file system does not allow it",
  EROFS: "the file system is read-only",
  ENOTDIR: "a part of the path is a file, not a folder",
  EEXIST: "a file is in the place of the folder",
  EISDIR: "a folder is in the place of the file",
  ENOENT: "a folder of the path is missing and cannot be made",
  ENAMETOOLONG: "a name in it is too long",
  EIO: "the disk reports an error",
  EMFILE: "too many files are open",
};

/** The system's name of a failure (`ENOSPC`), if it is one of the system's. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** Why a file operation failed, in words. */
export function storageReason(error: unknown): string {
  const errno = errorCode(error);
  if (errno === undefined) return error instanceof Error ? error.message : String(error);
  const words = WORDS[errno];
  return words === undefined ? errno : `${words} (${errno})`;
}

/** The `UserError` of kind `storage` for a failed file operation at `file`; any other error is returned unchanged. */
export function storageError(file: string, verb: "read" | "write", error: unknown): unknown {
  if (errorCode(error) === undefined) return error;
  return new UserError(
    "storage",
    `Cannot ${verb} ${file}: ${storageReason(error)}; the rounds and updates stored before are safe.`,
    {
      hint: "Once that is put right, run the same command again: it goes on from where it stopped.",
      cause: error,
    },
  );
}

/** Makes the names inside a folder durable. Windows cannot open folders, and needs no such call. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Writes a new file; its content, though not yet its name, is durable. */
export async function writeDurably(file: string, content: Uint8Array | string): Promise<void> {
  const handle = await open(file, "wx");
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Replaces a file by one with this content, durably: a reader, or a crash, finds the old or the new, never a part. */
export async function writeAtomically(file: string, content: Uint8Array | string): Promise<void> {
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    await writeDurably(temporary, content);
    await rename(temporary, file);
    await syncFolder(path.dirname(file));
  } finally {
    await rm(temporary, { force: true });
  }
}
