import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { DATASET_INFO } from "../data/dataset-info.ts";
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
      const isRecords = (name: string): boolean => isData(name) && !name.startsWith(".") && name !== DATASET_INFO;
      const names = readdirSync(given).filter(isRecords);
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

/** The `dataset_info.json` that is named, or lies in the one folder that is; undefined for none. */
export function datasetInfoIn(paths: readonly string[]): string | undefined {
  const [given] = paths;
  if (given === undefined || paths.length > 1) return undefined;
  const file = path.basename(given) === DATASET_INFO ? given : path.join(given, DATASET_INFO);
  return existsSync(file) ? file : undefined;
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
