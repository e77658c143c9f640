import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { FileReader } from "../data/file-reader.ts";
import { nearest } from "../diagnostics/nearest.ts";
import { UserError } from "../diagnostics/user-error.ts";

/** Data files on disk; relative paths are taken from `folder`. */
export function fileReader(folder: string = process.cwd()): FileReader {
  return {
    async read(file) {
      const absolute = path.resolve(folder, file);
      try {
        return await readFile(absolute);
      } catch (cause) {
        const { code } = cause as NodeJS.ErrnoException;
        if (code === "ENOENT" || code === "ENOTDIR") throw notFound(file, absolute, cause);
        const what =
          code === "EISDIR" ? "is a folder, expected a file" : `cannot be read (${(cause as Error).message})`;
        throw new UserError("data", `${file} ${what}`, { cause });
      }
    },
  };
}

/** The entry of a missing file's folder that was most likely meant, written as the missing one was. */
export function nearFile(file: string, absolute: string = path.resolve(file)): string | undefined {
  const near = nearest(path.basename(file), namesIn(path.dirname(absolute)) ?? []);
  return near === undefined ? undefined : path.join(path.dirname(file), near);
}

function namesIn(folder: string): string[] | undefined {
  try {
    return readdirSync(folder).sort();
  } catch {
    return undefined;
  }
}

function notFound(file: string, absolute: string, cause: unknown): UserError {
  const parent = path.dirname(absolute);
  const names = namesIn(parent);
  if (names === undefined)
    return new UserError("data", `no file ${file}: there is no folder ${parent}`, {
      hint: "Correct the path; one that is not absolute starts at the configuration's folder.",
      cause,
    });
  const near = nearFile(file, absolute);
  return new UserError("data", `no file ${file}`, {
    cause,
    hint:
      near !== undefined
        ? `Did you mean ${near}?`
        : names.length === 0
          ? `The folder ${parent} is empty.`
          : `The folder ${parent} holds ${names.slice(0, 8).join(", ")}${names.length > 8 ? ", …" : ""}.`,
  });
}
