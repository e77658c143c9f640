import path from "node:path";
import { UserError } from "../diagnostics/user-error.ts";
import { isLengthened, settingsThatDiffer, stopsOtherwise } from "../experiment/run-changes.ts";
import { pluginsOf, pluginsThatDiffer } from "../plugins/plugin.ts";
import type { ExperimentConfig } from "../settings/schema.ts";
import { plannedRounds, type StoredRun } from "../study/stored-run.ts";
import { planSweep, type Sweep, type SweepRun } from "../study/sweep.ts";
import { applySettings, readMapping, readSettings } from "./config-file.ts";
import { originIn } from "../settings/apply-setting.ts";
import { isRunFolder, readStoredRun } from "./store/stored-runs.ts";

export interface SweepFile extends Sweep {
  /** The start of relative paths in the runs' configurations. */
  readonly baseDir: string;
}

/**
 * Reads a sweep file, with `${NAME}` replaced as in a configuration, and checks all of it. `settings` are `key=value` texts of
 * `--set`, which hold in every run.
 *
 * @throws UserError of kind `config`.
 */
export function readSweepFile(file: string, settings: readonly string[] = []): SweepFile {
  let baseDir = path.dirname(file);
  const readExperiment = (given: string): Record<string, unknown> => {
    const experiment = path.resolve(path.dirname(file), given);
    baseDir = path.dirname(experiment);
    return readMapping(path.relative(process.cwd(), experiment));
  };
  const { value, placeOf } = readSettings(file);
  const sweep = planSweep(value, {
    where: file,
    origin: originIn(file, [], placeOf),
    readExperiment,
    override: (config) => applySettings(config, settings),
  });
  return { ...sweep, baseDir };
}

export type SweepState =
  | { readonly state: "finished"; readonly seconds: number }
  | { readonly state: "begun"; readonly round: number; readonly rounds: number | undefined }
  | { readonly state: "new" }
  /** The folder holds something that the run cannot continue. */
  | { readonly state: "refused"; readonly reason: string };

/** The progress of a run, read from its folder. Neither model nor data are opened. */
export function stateOf(run: SweepRun, folder: string): SweepState {
  if (!isRunFolder(folder)) return { state: "new" };
  let stored: StoredRun;
  try {
    stored = readStoredRun(folder);
  } catch (error) {
    if (error instanceof UserError) return { state: "refused", reason: error.message };
    throw error;
  }
  const differences = [
    ...settingsThatDiffer(stored.config as ExperimentConfig, run.config),
    ...pluginsThatDiffer(stored.plugins, pluginsOf(run.config)),
  ];
  if (differences.length > 0) return { state: "refused", reason: `it holds another run: ${differences[0]}` };
  const config = stored.config as ExperimentConfig;
  const goesOn = isLengthened(config, run.config) || (stored.stoppedEarly && stopsOtherwise(config, run.config));
  if (stored.finished && !goesOn) return { state: "finished", seconds: stored.totalSeconds };
  return { state: "begun", round: stored.rounds.at(-1)?.round ?? 0, rounds: plannedRounds(stored) };
}
