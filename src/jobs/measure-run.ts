import { UserError } from "../diagnostics/user-error.ts";
import type { Platform, RunStore } from "../experiment/ports.ts";
import { prepareExperiment } from "../experiment/prepare.ts";
import { changedSince } from "../experiment/run-identity.ts";
import {
  type MeasuredAdapter,
  measureMemorisation,
  type Memorisation,
  type MemorisationHooks,
  type MemorisationOptions,
} from "../memorisation/memorisation.ts";
import { adaptersOf, baseAdapter } from "../memorisation/run-adapters.ts";
import type { BaseModel } from "../model/base-model.ts";
import type { ExperimentConfig } from "../settings/schema.ts";
import { openFittingAdapter } from "./fitting-adapter.ts";

/** A finished or stopped run. */
export interface TrainedRun {
  readonly config: ExperimentConfig;
  readonly store: RunStore;
  /** The run's folder and the start of its configuration's paths, for messages. */
  readonly folder: string;
  readonly pathsFrom: string;
}

export interface RunMemorisationOptions extends MemorisationOptions {
  /** Folders of adapters to measure in place of the run's own. */
  readonly adapters: readonly string[];
}

/**
 * Reads a run's training data again and measures how much of it comes out of the run's adapters.
 *
 * @throws UserError of kind `data` or `config` where the data or the base is not the same as in the run; `model` for an adapter of
 * another base.
 */
export async function measureRun(
  { config, store, folder, pathsFrom }: TrainedRun,
  platform: Platform,
  { adapters, ...options }: RunMemorisationOptions,
  hooks: MemorisationHooks,
): Promise<Memorisation> {
  const prepared = await prepareExperiment(config, platform, hooks).catch((error: unknown) => {
    if (!(error instanceof UserError) || error.kind !== "data") throw error;
    throw new UserError("data", error.message, {
      hint: `The paths of the run's configuration start at ${pathsFrom}. Give another folder with --paths-from.`,
      cause: error,
    });
  });
  const [changed] = await changedSince(prepared, store);
  if (changed !== undefined) {
    throw new UserError("config", `${folder} was trained with other inputs: ${changed}`, {
      hint: "Restore the files, or give the folder that has them with --paths-from.",
    });
  }
  const measured =
    adapters.length === 0
      ? await adaptersOf(prepared, store, folder)
      : await Promise.all(adapters.map((each) => givenAdapter(platform, prepared.model, each)));
  const work = { runtime: platform.runtime, adapters: [baseAdapter(prepared), ...measured] };
  return measureMemorisation(prepared, work, options, hooks);
}

async function givenAdapter(platform: Platform, base: BaseModel, folder: string): Promise<MeasuredAdapter> {
  const adapter = await openFittingAdapter(platform, base, folder);
  return { name: folder, what: `the adapter in ${folder}`, of: async () => adapter };
}
