import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import path from "node:path";
import { UserError } from "../diagnostics/user-error.ts";
import type { ExportFolder } from "../export/target.ts";
import { storageReason, syncFolder } from "./store/durable-file.ts";

/**
 * Fills a new folder under a temporary name beside it, and gives it its name when all files are written and durable. Where the
 * work fails nothing is left, and a folder that is there is never touched. Returns what the work returns.
 *
 * @throws UserError of kind `storage` where there is such a folder or file already, or it cannot be written.
 */
export async function fillNewFolder<T>(target: string, fill: (folder: ExportFolder) => Promise<T>): Promise<T> {
  refuseExisting(target);
  const full = path.resolve(target);
  const temporary = `${full}.${randomUUID()}.tmp`;
  try {
    await mkdir(temporary, { recursive: true });
    const result = await fill(stagedFolder(temporary));
    await syncFolder(temporary);
    refuseExisting(target);
    await rename(temporary, full);
    await syncFolder(path.dirname(full));
    return result;
  } catch (error) {
    throw isStorageFailure(error) ? notWritten(target, error) : error;
  } finally {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
  }
}

/** @throws UserError where the name is taken. */
export function refuseExisting(target: string): void {
  if (!existsSync(target)) return;
  throw new UserError("storage", `${target} exists already, and nothing in it is overwritten`, {
    hint: "Give another folder with --out, or move the old one away.",
  });
}

function stagedFolder(temporary: string): ExportFolder {
  return {
    async create(name) {
      const file = path.join(temporary, name);
      await mkdir(path.dirname(file), { recursive: true });
      const handle = await open(file, "wx");
      return {
        async write(bytes) {
          for (let written = 0; written < bytes.length;) {
            written += (await handle.write(bytes, written, bytes.length - written)).bytesWritten;
          }
        },
        async close() {
          try {
            await handle.sync();
          } finally {
            await handle.close();
          }
        },
      };
    },
  };
}

/** Codes of a folder that cannot be written. Others are of files that an export reads, or defects. */
const STORAGE_CODES = new Set([
  "ENOSPC",
  "EDQUOT",
  "EACCES",
  "EPERM",
  "EROFS",
  "ENOTDIR",
  "ENOENT",
  "ENAMETOOLONG",
  "EIO",
  "EFBIG",
]);

function isStorageFailure(error: unknown): boolean {
  return !(error instanceof UserError) && STORAGE_CODES.has((error as NodeJS.ErrnoException)?.code ?? "");
}

function notWritten(target: string, cause: unknown): UserError {
  return new UserError("storage", `${target} cannot be written: ${storageReason(cause)}; nothing of it is left`, {
    hint: "Correct the problem, or give another folder with --out.",
    cause,
  });
}
