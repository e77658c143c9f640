import path from "node:path";
import { parseDatasetRef } from "../../data/dataset-ref.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { fetchDataset } from "../../node/hub/hub-dataset.ts";
import { fetchModelDescription, fetchModelWeights, parseHubModel } from "../../node/hub/hub-model.ts";
import { type Hub, lazyHub } from "../../node/hub/hub.ts";
import { type Command, defineCommand } from "../command.ts";
import { text, toggle } from "../flag.ts";
import { withStatus } from "../work/work.ts";

export const command: Command = defineCommand({
  description: "Downloads a model or a dataset of the Hugging Face Hub into its cache and prints the folder.",
  argument: { placeholder: "<ref>", description: "org/name of a model, or a dataset in the form of data.train" },
  flags: {
    revision: text("<name>", "branch, tag or commit; the same as @name in the reference"),
    dataset: toggle("treat the name as a dataset; needed for datasets that openfedllm does not know"),
  },
  examples: [
    ["npx openfedllm download HuggingFaceTB/SmolLM2-135M", "a model"],
    ["npx openfedllm download tatsu-lab/alpaca", "a dataset"],
  ],
  async run({ dataset = false, revision }, context, reference) {
    const ref = revision === undefined ? reference : withRevision(reference, revision);
    const folder = await withStatus(context, ({ reports }) => download(lazyHub(reports)(), ref, dataset), {
      long: true,
    });
    context.stdout.write(`${folder}\n`);
  },
});

function withRevision(reference: string, revision: string): string {
  if (reference.includes("@")) {
    throw new UserError("config", `there are two revisions, in ${reference} and in --revision ${revision}`, {
      hint: "Remove one of them.",
    });
  }
  return reference.replace(/(?=\?|$)/, `@${revision}`);
}

/** Downloads a model, or a dataset if the flag, a split or the list of known datasets says so. */
async function download(hub: Hub, ref: string, dataset: boolean): Promise<string> {
  const isDataset = dataset || ref.includes("?") || (!ref.startsWith("hf:") && parseDatasetRef(ref) !== undefined);
  if (isDataset) {
    const parsed = parseDatasetRef(ref) ?? parseDatasetRef(`hf:${ref}`)!;
    return (await fetchDataset(hub, parsed)).folder;
  }
  const model = parseHubModel(ref);
  if (model === undefined) {
    throw new UserError("config", `${ref} is not the name of a model or dataset on the Hub`, {
      hint: "For example: HuggingFaceTB/SmolLM2-135M, or tatsu-lab/alpaca. Other datasets need --dataset.",
    });
  }
  const snapshot = await fetchModelDescription(hub, model);
  await fetchModelWeights(snapshot, model);
  return path.resolve(snapshot.folder);
}
