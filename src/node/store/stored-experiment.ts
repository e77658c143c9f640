import path from "node:path";
import { UserError } from "../../diagnostics/user-error.ts";
import { parseExperiment } from "../../settings/parse.ts";
import type { RunStore } from "../../experiment/ports.ts";
import type { ExperimentConfig } from "../../settings/schema.ts";
import { isRunFolder, readStoredRuns } from "./stored-runs.ts";

const ORIGIN = "origin.json";

/** Keeps where a configuration's paths start, from the run folder, so that both may move together. */
export async function keepOrigin(store: RunStore, folder: string, baseDir: string): Promise<void> {
  const from = path.relative(path.resolve(folder), path.resolve(baseDir));
  await store.saveJson(ORIGIN, { pathsFrom: from.replaceAll(path.sep, "/") || "." });
}

export interface StoredExperiment {
  readonly config: ExperimentConfig;
  /** The folder that its relative paths start from. */
  readonly baseDir: string;
}

/** @throws UserError of kind `config` for a folder that is no run folder. */
export function checkRunFolder(folder: string): void {
  if (isRunFolder(folder)) return;
  const { runs } = readStoredRuns([folder]);
  throw new UserError("config", `${folder} is no run folder, but holds ${runs.length}`, {
    hint: `Give one of them, such as ${runs[0]!.folder}`,
  });
}

/**
 * The experiment of a run folder, to be prepared again. `pathsFrom` stands in for what the folder says.
 *
 * @throws UserError of kind `config` where nothing says where the paths start, `storage` for a damaged file.
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
    throw new UserError("config", `${folder} does not say where the paths of its configuration start (no ${ORIGIN})`, {
      hint: "Name the folder of the configuration file with --paths-from.",
    });
  }
  return { config, baseDir };
}
