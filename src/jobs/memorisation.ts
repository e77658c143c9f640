import path from "node:path";
import { UserError } from "../diagnostics/user-error.ts";
import {
  type MeasuredAdapter,
  measureMemorisation,
  type Memorisation,
  type MemorisationHooks,
  type MemorisationOptions,
} from "../memorisation/memorisation.ts";
import type { Platform, RunStore } from "../experiment/ports.ts";
import { loraShape, type Prepared, prepareExperiment } from "../experiment/prepare.ts";
import { adaptersOf, baseAdapter } from "../memorisation/run-adapters.ts";
import { changedSince } from "../experiment/run-identity.ts";
import { loadAdapterFor } from "./adapted-model.ts";
import type { StoredExperiment } from "../node/store/stored-experiment.ts";

export interface RunMemorisationOptions extends MemorisationOptions {
  /** Folders of adapters to measure in place of the run's own. */
  readonly adapters: readonly string[];
}

/**
 * What the adapters of a run remember of the data it trained on, which is read again.
 *
 * @throws UserError of kind `data` or `config` where the data, or the base, is not what the run had; `model` for an adapter of
 * another base.
 */
export async function measureRun(
  { config, baseDir }: StoredExperiment,
  store: RunStore,
  folder: string,
  platform: Platform,
  { adapters, ...options }: RunMemorisationOptions,
  hooks: MemorisationHooks,
): Promise<Memorisation> {
  const prepared = await prepareExperiment(config, platform, hooks).catch((error: unknown) => {
    if (!(error instanceof UserError) || error.kind !== "data") throw error;
    throw new UserError("data", error.message, {
      hint: `The paths of the run's configuration start at ${path.resolve(baseDir)}; --paths-from names another folder.`,
      cause: error,
    });
  });
  const [changed] = await changedSince(prepared, store);
  if (changed !== undefined) {
    throw new UserError("config", `${folder} was trained with something else: ${changed}`, {
      hint: "Put the files back as they were, or name the folder that has them with --paths-from.",
    });
  }
  const measured =
    adapters.length === 0
      ? await adaptersOf(prepared, store, folder)
      : await Promise.all(adapters.map((each) => givenAdapter(each, prepared)));
  return measureMemorisation(prepared, platform.runtime, [baseAdapter(prepared), ...measured], options, hooks);
}

async function givenAdapter(folder: string, { model }: Prepared): Promise<MeasuredAdapter> {
  const { config, params } = await loadAdapterFor(model, folder);
  return {
    name: folder,
    what: `the adapter in ${folder}`,
    lora: loraShape(config, model.config),
    of: async () => params,
  };
}
