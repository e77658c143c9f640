import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { FORMATS } from "../data/source.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { storageReason } from "./store/durable-file.ts";

/** The schema of settings that the package brings. */
export const SCHEMA_FILE: string = fileURLToPath(new URL("../../schema/settings.schema.json", import.meta.url));

const ENDINGS = [...Object.keys(FORMATS), "ndjson"];
const isData = (name: string): boolean =>
  ENDINGS.includes(path.extname(name.replace(/\.gz$/i, "")).slice(1).toLowerCase());

/**
 * Finds files of records: those that are named, and those in folders that are named, by extension.
 *
 * @throws UserError of kind `data` for a path that is not there or cannot be read, and where there is no file of records.
 */
export function findRecordFiles(paths: readonly string[]): string[] {
  const files = paths.flatMap((given) => {
    try {
      if (!statSync(given).isDirectory()) return [given];
      const names = readdirSync(given).filter((name) => isData(name) && !name.startsWith("."));
      return names.sort().map((name) => path.join(given, name));
    } catch (cause) {
      throw new UserError("data", `cannot read ${given}: ${storageReason(cause)}`, {
        hint: "Name files of records, or a folder with some.",
        cause,
      });
    }
  });
  if (files.length > 0) return [...new Set(files)];
  throw new UserError("data", `there are no files of records in ${paths.join(", ")}`, {
    hint: `Put one file for each client there (${ENDINGS.map((ending) => `.${ending}`).join(", ")}), or name files.`,
  });
}

/** A file of settings that a folder already has; undefined for none. */
export function settingsIn(folder: string): string | undefined {
  if (!existsSync(folder)) return undefined;
  return readdirSync(folder)
    .filter((name) => /\.ya?ml$/i.test(name))
    .map((name) => path.join(folder, name))
    .find((file) => statSync(file).isFile() && /^model:/m.test(text(file)) && /^data:/m.test(text(file)));
}

function text(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
