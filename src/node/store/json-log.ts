import { existsSync } from "node:fs";
import { open, readFile, truncate } from "node:fs/promises";
import path from "node:path";
import { UserError } from "../../diagnostics/user-error.ts";
import { errorCode } from "../../diagnostics/error-code.ts";
import { storageError, syncFolder } from "./durable-file.ts";

/** A file of records, one JSON object a line. */
export interface JsonLog<T> {
  /** The records that the file held when it was opened. */
  readonly records: readonly T[];
  /**
   * Adds records; they are on the disk once this resolves. After a failure every further call fails, so that no line
   * stands behind half a line.
   */
  append(records: readonly T[]): Promise<void>;
  /** Waits until all that was appended is on the disk or has failed. */
  settled(): Promise<void>;
}

/**
 * Opens a file of records, which need not exist yet. A last line without its end, of a process that died, is cut off.
 *
 * @param called a record, for messages: `judgement`.
 * @throws UserError("storage") for a whole line that is no record, and for a file that cannot be read or written.
 */
export async function openJsonLog<T>(
  file: string,
  { called, isRecord }: { readonly called: string; readonly isRecord: (value: Partial<T>) => boolean },
): Promise<JsonLog<T>> {
  const bytes = await readFile(file).catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return Buffer.alloc(0);
    throw error;
  });
  const length = bytes.lastIndexOf("\n") + 1;
  const lines = bytes.subarray(0, length).toString("utf8").split("\n").slice(0, -1);
  const records = lines.map((line, i) => {
    const value = parsed(line) as Partial<T> | null | undefined;
    if (typeof value === "object" && value !== null && isRecord(value)) return value as T;
    throw new UserError("storage", `${file}, line ${i + 1}, is damaged: it holds no ${called}.`, {
      hint: `Remove the line, then run the same command again: it makes this ${called} again.`,
    });
  });
  if (length < bytes.length) await truncate(file, length);
  let last: Promise<void> = Promise.resolve();
  return {
    records,
    append: (added) => (last = last.then(() => appendDurably(file, jsonLines(added)))),
    settled: () => last.catch(() => undefined),
  };
}

/** The text of records, one JSON object a line. */
export function jsonLines(records: readonly unknown[]): string {
  return records.map((record) => `${JSON.stringify(record)}\n`).join("");
}

async function appendDurably(file: string, text: string): Promise<void> {
  const made = !existsSync(file);
  try {
    const handle = await open(file, "a");
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (made) await syncFolder(path.dirname(file));
  } catch (error) {
    throw storageError(file, "write", error);
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
