import path from "node:path";
import { UserError } from "../../diagnostics/user-error.ts";
import { parseExperiment } from "../../settings/parse.ts";
import type { RunStore } from "../../experiment/ports.ts";
import type { ExperimentConfig } from "../../settings/schema.ts";
import { isRunFolder, readStoredRuns } from "./stored-runs.ts";

/** The file with the start of a configuration's paths. */
export const ORIGIN = "origin.json";

/** Stores the start of a configuration's paths, relative to the run folder, so that both may move together. */
export async function keepOrigin(store: RunStore, folder: string, baseDir: string): Promise<void> {
  const from = path.relative(path.resolve(folder), path.resolve(baseDir));
  await store.saveJson(ORIGIN, { pathsFrom: from.replaceAll(path.sep, "/") || "." });
}

export interface StoredExperiment {
  readonly config: ExperimentConfig;
  /** The start of its relative paths. */
  readonly baseDir: string;
}

/** Checks a folder. @throws UserError of kind `config` where it is not a run folder. */
export function checkRunFolder(folder: string): void {
  if (isRunFolder(folder)) return;
  const { runs } = readStoredRuns([folder]);
  throw new UserError("config", `${folder} is not a run folder, but contains ${runs.length} of them`, {
    hint: `Give one of them, such as ${runs[0]!.folder}.`,
  });
}

/**
 * Reads the experiment of a run folder, to prepare it again. `pathsFrom` replaces the stored start of its paths.
 *
 * @throws UserError of kind `config` where the start of the paths is not known, `storage` for a damaged file.
 */
export async function readStoredExperiment(
  store: RunStore,
  folder: string,
  pathsFrom?: string,
): Promise<StoredExperiment> {
  const stored = (await store.readJson("config.json")) as { config?: unknown } | null;
  const config = parseExperiment(stored?.config, path.join(folder, "config.json"));
  const origin = (await store.readJson(ORIGIN)) as { pathsFrom?: unknown } | null | undefined;
  const kept = typeof origin?.pathsFrom === "string" ? path.join(folder, origin.pathsFrom) : undefined;
  const baseDir = pathsFrom ?? kept;
  if (baseDir === undefined) {
    throw new UserError("config", `the start of the configuration's paths is not known: ${folder} has no ${ORIGIN}`, {
      hint: "Give the folder of the configuration file with --paths-from.",
    });
  }
  return { config, baseDir };
}
