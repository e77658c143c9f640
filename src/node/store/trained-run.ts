import { existsSync, statSync } from "node:fs";
import path from "node:path";
import { UserError } from "../../diagnostics/user-error.ts";
import { FINAL_ADAPTER } from "../../experiment/results/summary.ts";
import { parseExperiment } from "../../settings/parse.ts";
import type { ExperimentConfig } from "../../settings/schema.ts";
import { nearFile } from "../files.ts";
import { isRunFolder, readStoredJson } from "./stored-runs.ts";
import { ORIGIN } from "./stored-experiment.ts";

/** A run folder as the place of an adapter: what it was trained on and how. */
export interface TrainedRunFolder {
  readonly folder: string;
  readonly config: ExperimentConfig;
  /** Reference of the base that opens from the working directory. */
  readonly base: string;
  /** sha256 of the base's weights and architecture. */
  readonly baseHash: string | undefined;
  /** A path of the configuration, from the working directory. */
  readonly fromHere: (file: string) => string;
}

/**
 * Finds the run folder that holds a file or folder, such as `runs/my` for `runs/my/adapters/round-0002`; undefined where
 * none does. The `config.json` of a model is not one of a run.
 */
export function enclosingRun(inside: string): string | undefined {
  const DEPTH = 3;
  let folder = inside;
  for (let up = 0; up <= DEPTH; up++) {
    if (isRunFolder(folder) && boundConfig(folder) !== undefined) return folder;
    folder = path.join(folder, "..");
  }
  return undefined;
}

/**
 * Reads what a run was trained on and how.
 *
 * @throws UserError of kind `config` for a folder that is not one of a run, `storage` for a damaged one.
 */
export function readTrainedRun(folder: string): TrainedRunFolder {
  const bound = existsSync(folder) && isRunFolder(folder) ? boundConfig(folder) : undefined;
  if (bound === undefined) throw notARun(folder);
  const config = parseExperiment(bound.config, path.join(folder, "config.json"));
  const origin = readStoredJson(path.join(folder, ORIGIN)) as { pathsFrom?: unknown } | null | undefined;
  const from = typeof origin?.pathsFrom === "string" ? path.join(folder, origin.pathsFrom) : process.cwd();
  const fromHere = (file: string): string => {
    const found = path.resolve(from, file);
    return existsSync(found) ? path.relative(process.cwd(), found) || "." : file;
  };
  const { base } = config.model;
  return {
    folder,
    config,
    base: base.startsWith("npm:") ? base : fromHere(base),
    baseHash: typeof bound.model === "string" ? bound.model : undefined,
    fromHere,
  };
}

/** The folder of a run's final adapter. */
export function finalAdapterOf(folder: string): string {
  return path.join(folder, FINAL_ADAPTER);
}

function boundConfig(folder: string): { readonly config: object; readonly model?: unknown } | undefined {
  const stored = readStoredJson(path.join(folder, "config.json")) as { config?: unknown } | null | undefined;
  return typeof stored?.config === "object" && stored.config !== null ? (stored as { config: object }) : undefined;
}

function notARun(folder: string): UserError {
  const found = statSync(folder, { throwIfNoEntry: false });
  if (found === undefined) {
    const near = nearFile(folder);
    return new UserError("config", `there is no run folder ${folder}`, {
      hint: near === undefined ? "For a base model write --model REFERENCE." : `Did you mean ${near}?`,
    });
  }
  const what = existsSync(path.join(folder, "adapter_config.json"))
    ? { is: "an adapter outside a run folder", hint: `Write --model BASE --adapter ${folder}.` }
    : existsSync(path.join(folder, "tokenizer.json"))
      ? { is: "a base model", hint: `Write --model ${folder}.` }
      : { is: "not a run folder", hint: "Give a folder that `openfedllm run` made, such as runs/quickstart." };
  return new UserError("config", `${folder} is ${what.is}, expected a run folder`, { hint: what.hint });
}
