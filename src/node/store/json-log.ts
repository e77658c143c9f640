import { readFile } from "node:fs/promises";
import { UserError } from "../../diagnostics/user-error.ts";
import { errorCode } from "./durable-file.ts";

export interface JsonLog<T> {
  readonly records: readonly T[];
  /** Bytes of whole lines. What follows is of a process that died while it wrote, and is to be cut off. */
  readonly length: number;
}

/**
 * Records that were appended to a file, one JSON object a line; none where there is no file.
 *
 * @param called a record, for messages: `judgement`.
 * @throws UserError("storage") for a whole line that is no record.
 */
export async function readJsonLog<T>(
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
    throw new UserError("storage", `${file}, line ${i + 1}, is damaged: it is no ${called}.`, {
      hint: "Remove the line: what it held is asked for again.",
    });
  });
  return { records, length };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
