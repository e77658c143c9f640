import path from "node:path";
import { UserError } from "../../diagnostics/user-error.ts";
import { parseDatasetRef } from "../../data/dataset-ref.ts";
import { fetchDataset } from "../../node/hub/hub-dataset.ts";
import { fetchModelDescription, fetchModelWeights, parseHubModel } from "../../node/hub/hub-model.ts";
import type { Hub } from "../../node/hub/hub.ts";
import type { CommandContext } from "./command-context.ts";
import { withHub } from "./hub-work.ts";

export interface DownloadFlags {
  readonly dataset?: boolean;
  readonly revision?: string;
}

/** Fetches a model or a dataset into the cache and prints where it is. */
export async function downloadCommand(
  reference: string,
  { dataset = false, revision }: DownloadFlags,
  context: CommandContext,
): Promise<void> {
  const ref = revision === undefined ? reference : withRevision(reference, revision);
  const folder = await withHub(context, ({ hub }) => fetch(hub(), ref, dataset));
  context.stdout.write(`${folder}\n`);
}

function withRevision(reference: string, revision: string): string {
  if (reference.includes("@")) {
    throw new UserError("config", `a revision is given twice, in ${reference} and with --revision ${revision}`, {
      hint: "Leave one of them out.",
    });
  }
  return reference.replace(/(?=\?|$)/, `@${revision}`);
}

/** A dataset's name of its own, or a split, says what is meant; any other name is a model's unless the flag says otherwise. */
async function fetch(hub: Hub, ref: string, dataset: boolean): Promise<string> {
  const isDataset = dataset || ref.includes("?") || (!ref.startsWith("hf:") && parseDatasetRef(ref) !== undefined);
  if (isDataset) {
    const parsed = parseDatasetRef(ref) ?? parseDatasetRef(`hf:${ref}`)!;
    return (await fetchDataset(hub, parsed)).folder;
  }
  const model = parseHubModel(ref);
  if (model === undefined) {
    throw new UserError("config", `${ref} is no name of a model or dataset on the Hub`, {
      hint: "For example: HuggingFaceTB/SmolLM2-135M, or tatsu-lab/alpaca; --dataset for other datasets.",
    });
  }
  const snapshot = await fetchModelDescription(hub, model);
  await fetchModelWeights(snapshot, model);
  return path.resolve(snapshot.folder);
}
