import { readdirSync } from "node:fs";
import { open, readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { datasetHint } from "../data/dataset-ref.ts";
import type { FileReader } from "../data/file-reader.ts";
import { nearest } from "../diagnostics/nearest.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { fetchDataset } from "./hub/hub-dataset.ts";
import { type Hub, openHub } from "./hub/hub.ts";

/** Reads data files on disk, with relative paths from `folder`, and datasets of the Hub. */
export function fileReader(folder: string = process.cwd(), hub: () => Hub = openHub): FileReader {
  return {
    read: (file) =>
      reading(folder, file, async (absolute) => {
        await checkRegular(absolute);
        return readFile(absolute);
      }),
    open: (file) =>
      reading(folder, file, async (absolute) => {
        await checkRegular(absolute);
        const handle = await open(absolute);
        const { size } = await handle.stat();
        return {
          byteLength: size,
          async slice(start, end = size) {
            const bytes = new Uint8Array(Math.min(end, size) - start);
            for (let filled = 0; filled < bytes.length;) {
              const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, start + filled);
              if (bytesRead === 0) throw new Error(`it ended at byte ${start + filled}`);
              filled += bytesRead;
            }
            return bytes.buffer;
          },
          close: () => handle.close(),
        };
      }),
    list: (given) =>
      reading(folder, given, async (absolute) => {
        if ((await stat(absolute)).isFile()) return [{ name: path.basename(absolute), path: absolute }];
        const entries = await readdir(absolute, { recursive: true, withFileTypes: true });
        const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
        return files
          .map((file) => ({ name: path.relative(absolute, file).replaceAll(path.sep, "/"), path: file }))
          .sort((a, b) => (a.name < b.name ? -1 : 1));
      }),
    dataset: async (ref) => (await fetchDataset(hub(), ref)).files,
  };
}

async function reading<T>(folder: string, file: string, work: (absolute: string) => Promise<T>): Promise<T> {
  const absolute = path.resolve(folder, file);
  try {
    return await work(absolute);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") throw notFound(file, absolute, cause);
    const what = code === "EISDIR" ? "is a folder, expected a file" : `cannot be read (${(cause as Error).message})`;
    throw new UserError("data", `${file} ${what}`, { cause });
  }
}

/** Refuses a pipe or a device, which may have no end. A folder has an error of its own. */
async function checkRegular(absolute: string): Promise<void> {
  const found = await stat(absolute);
  if (!found.isFile() && !found.isDirectory()) throw new Error("it is not a regular file: save the data in one");
}

/** Finds the entry of a missing file's folder with the most similar name, as a path like the given one. */
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
      hint: datasetHint(file) ?? "Correct the path. A relative path starts at the configuration's folder.",
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
