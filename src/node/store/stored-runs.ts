import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { UserError } from "../../diagnostics/user-error.ts";
import { type StoredRun, storedRun } from "../../study/stored-run.ts";
import { storageReason } from "./durable-file.ts";
import { nearFile } from "../files.ts";

export interface FoundRuns {
  readonly runs: readonly StoredRun[];
  /** Runs that were left out, with the reason. */
  readonly warnings: readonly string[];
}

const CONFIG = "config.json";
const METRICS = "metrics.json";

/**
 * Reads run folders, and all run folders in a folder of runs. A folder given twice counts once. A damaged run is an error where
 * its own folder was given, and a warning where it was found in a folder.
 *
 * @throws UserError of kind `config` for a folder that is missing or without a run, `storage` for a damaged run.
 */
export function readStoredRuns(folders: readonly string[]): FoundRuns {
  const runs = new Map<string, StoredRun>();
  const warnings: string[] = [];
  for (const folder of folders) {
    if (isRunFolder(folder)) {
      runs.set(path.resolve(folder), readStoredRun(folder));
      continue;
    }
    const inside = runFoldersIn(folder);
    if (inside.length === 0) {
      throw new UserError("config", `${folder} is not a run folder and contains none: there is no ${CONFIG}`, {
        hint: "Give a folder that `openfedllm run` made, such as runs/quickstart, or a folder of such folders.",
      });
    }
    for (const each of inside) {
      try {
        runs.set(path.resolve(each), readStoredRun(each));
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        warnings.push(`${error.message}; the run is left out`);
      }
    }
  }
  if (runs.size === 0) {
    throw new UserError("storage", `no run can be read: ${warnings[0]}`, {
      hint: "Put the file back from a copy, or start the run in a new folder.",
    });
  }
  return { runs: [...runs.values()], warnings };
}

/** Reads a run folder. @throws UserError of kind `storage` for a damaged one. */
export function readStoredRun(folder: string): StoredRun {
  const name = path.basename(path.resolve(folder));
  return storedRun(folder, name, readStoredJson(path.join(folder, CONFIG)), readStoredJson(path.join(folder, METRICS)));
}

export function isRunFolder(folder: string): boolean {
  return existsSync(path.join(folder, CONFIG));
}

/** `run-2` before `run-10`. */
const naturally = new Intl.Collator("en", { numeric: true });

function runFoldersIn(folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOTDIR" && statSync(folder, { throwIfNoEntry: false })?.isFile()) {
      throw new UserError("config", `${folder} is a file, expected a run folder`, {
        hint: `Give its folder instead: ${path.dirname(folder)}`,
        cause,
      });
    }
    if (code !== "ENOENT" && code !== "ENOTDIR") throw unreadable(folder, cause);
    const near = nearFile(folder);
    throw new UserError("config", `there is no folder ${folder}`, {
      hint: near === undefined ? "`openfedllm run` makes run folders, in runs/ by default." : `Did you mean ${near}?`,
      cause,
    });
  }
  return names
    .sort((a, b) => naturally.compare(a, b))
    .map((name) => path.join(folder, name))
    .filter(isRunFolder);
}

/** Reads a JSON file of a run folder; undefined where it is missing. @throws UserError of kind `storage` for a damaged one. */
export function readStoredJson(file: string): unknown {
  if (!existsSync(file)) return undefined;
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw unreadable(file, error);
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new UserError("storage", `${file} is damaged: it is not JSON`, {
      hint: "Put the file back from a copy, or leave this run out.",
      cause,
    });
  }
}

function unreadable(file: string, cause: unknown): UserError {
  return new UserError("storage", `${file} cannot be read: ${storageReason(cause)}`, { cause });
}
