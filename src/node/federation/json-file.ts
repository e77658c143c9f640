import { randomUUID } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import type { z } from "zod";
import { UserError } from "../../diagnostics/user-error.ts";
import { writeAtomically } from "../store/durable-file.ts";
import { absentAs, guarded } from "../store/durable-folder.ts";

/** The mode of files that hold no secret but are nobody's business. */
const PRIVATE = 0o600;

/** Writes a value as JSON, durably: a reader finds the old value or the new one. */
export function writeJsonFile(file: string, value: unknown): Promise<void> {
  return guarded(file, "write", () => writeAtomically(file, `${JSON.stringify(value, null, 2)}\n`, PRIVATE));
}

/**
 * Reads a JSON file; undefined where it does not exist.
 *
 * @throws UserError("storage") where it is damaged, of a later version, or no such file at all.
 */
export async function readJsonFile<T>(file: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const text = await guarded(file, "read", () => absentAs<string | undefined>(undefined, () => readFile(file, "utf8")));
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw damaged(file, "it is not JSON", cause);
  }
  const version = typeof value === "object" && value !== null && "version" in value ? value.version : undefined;
  if (typeof version === "number" && version > 1) {
    throw new UserError("storage", `${file} has format ${version}, and this version reads format 1`, {
      hint: "Install a newer version of openfedllm.",
    });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const at = issue === undefined || issue.path.length === 0 ? "" : `${issue.path.join(".")}: `;
  throw damaged(file, `${at}${issue?.message ?? "wrong content"}`, result.error);
}

/** A file that changed within this time before it was read may change again and look the same. */
const SETTLED_MS = 1000;

/**
 * Gives the function that reads all JSON files of a folder, by name, ascending; none where the folder does not exist. A file that
 * is the same as at the last call is not read again and gives the same object.
 */
export function jsonFolder<T>(folder: string, schema: z.ZodType<T>): () => Promise<readonly T[]> {
  let known = new Map<string, { readonly stamp: string; readonly record: T }>();
  const readOne = async (file: string): Promise<readonly [string, { stamp: string; record: T }] | undefined> => {
    const found = await guarded(file, "read", () => absentAs(undefined, () => stat(file, { bigint: true })));
    if (found === undefined) return undefined;
    const { ino, size, mtimeMs, ctimeNs } = found;
    const isSettled = Date.now() - Number(mtimeMs) > SETTLED_MS;
    const stamp = isSettled ? [ino, size, ctimeNs].join() : randomUUID();
    const before = known.get(file);
    if (before?.stamp === stamp) return [file, before];
    const record = await readJsonFile(file, schema);
    return record && [file, { stamp, record }];
  };
  return async () => {
    const names = await guarded(folder, "read", () => absentAs<string[]>([], () => readdir(folder)));
    const files = names.filter((name) => name.endsWith(".json")).sort();
    const found = await Promise.all(files.map((name) => readOne(path.join(folder, name))));
    known = new Map(found.filter((each) => each !== undefined));
    return Array.from(known.values(), ({ record }) => record);
  };
}

function damaged(file: string, why: string, cause: unknown): UserError {
  return new UserError("storage", `${file} is damaged: ${why}`, { hint: "Restore the file from a copy.", cause });
}
