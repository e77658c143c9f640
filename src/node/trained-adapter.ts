import { existsSync, statSync } from "node:fs";
import path from "node:path";
import { UserError } from "../diagnostics/user-error.ts";
import { type TrainingFacts, trainingFacts } from "../export/training-facts.ts";
import { nearFile } from "./files.ts";
import { readJson } from "./model/model-files.ts";
import { readStoredRun } from "./store/stored-runs.ts";
import { enclosingRun, finalAdapterOf, readTrainedRun, type TrainedRunFolder } from "./store/trained-run.ts";

/** An adapter with what its folder, and the run that trained it, say about it. */
export interface TrainedAdapter {
  /** The adapter's folder. */
  readonly folder: string;
  /** The run that trained it, where it lies in a run folder. */
  readonly run: TrainedRunFolder | undefined;
  /** Reference of its base. */
  readonly base: string;
}

const ADAPTER_CONFIG = "adapter_config.json";

/**
 * Finds the adapter that a folder names: the final one of a run folder, or the folder itself where it has one. `base` replaces the
 * base that the run or the adapter names.
 *
 * @throws UserError of kind `config` for another folder, or where no base is named; of kind `storage` for a damaged run.
 */
export async function findTrainedAdapter(folder: string, base?: string): Promise<TrainedAdapter> {
  const own = existsSync(path.join(folder, ADAPTER_CONFIG));
  const enclosing = enclosingRun(folder);
  const isRun = enclosing !== undefined && path.resolve(enclosing) === path.resolve(folder);
  if (!own && !isRun) throw neither(folder);
  const adapter = own ? folder : finalAdapterOf(folder);
  const run = enclosing === undefined ? undefined : readTrainedRun(enclosing);
  const named = base ?? run?.base ?? (await baseOfPeft(adapter));
  if (named !== undefined) return { folder: adapter, run, base: named };
  throw new UserError("config", `${folder} does not say which base it was trained on`, {
    hint: "Name the base with --model.",
  });
}

/** Reads what a run tells for a model card. @throws UserError of kind `storage` for a damaged run. */
export async function readTrainingFacts(run: string): Promise<TrainingFacts> {
  const measured = path.join(run, "memorisation.json");
  return trainingFacts(readStoredRun(run), existsSync(measured) ? await readJson(measured) : undefined);
}

/** The base that PEFT's configuration names. */
async function baseOfPeft(adapter: string): Promise<string | undefined> {
  const { base_model_name_or_path: name, revision } = await readJson(path.join(adapter, ADAPTER_CONFIG));
  if (typeof name !== "string" || name === "") return undefined;
  return typeof revision === "string" ? `${name}@${revision}` : name;
}

function neither(folder: string): UserError {
  const found = statSync(folder, { throwIfNoEntry: false });
  if (found === undefined) {
    const near = nearFile(folder);
    return new UserError("config", `there is no folder ${folder}`, {
      hint: near === undefined ? "`openfedllm run` makes run folders, in runs/ by default." : `Did you mean ${near}?`,
    });
  }
  const what = existsSync(path.join(folder, "tokenizer.json"))
    ? "a base model, not a run folder or an adapter"
    : "neither a run folder nor an adapter";
  return new UserError("config", `${folder} is ${what}`, {
    hint: "Give a folder that `openfedllm run` made, such as runs/quickstart, or the folder of a PEFT adapter.",
  });
}
