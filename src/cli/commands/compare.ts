import { readStoredRuns } from "../../node/store/stored-runs.ts";
import { sweepOf } from "../../node/store/sweep-record.ts";
import { type Command, defineCommand } from "../command.ts";
import { optionalText, repeated, text, toggle } from "../flag.ts";
import { showComparison } from "../work/show-comparison.ts";

export const command: Command = defineCommand({
  description:
    "Shows the results of runs side by side: held-out scores and cost. Runs that differ only in their seed are one row.",
  argument: { placeholder: "<folder...>", description: "run folders, or folders that hold run folders" },
  flags: {
    by: repeated(
      "<key>",
      "setting that labels the rows; may be given several times (default: the settings that differ)",
    ),
    names: toggle(
      "label the rows by the names of the run folders (after the settings of --by); default for the runs of one sweep",
    ),
    metric: text("<name>", "metric of the charts and of the first table, such as accuracy (default: loss)"),
    matrix: optionalText(
      "[metric]",
      "also show every adapter on every held-out set; put it last, or write --matrix=loss (default: the charts' metric)",
    ),
    json: toggle("write one JSON document with the unrounded numbers of the tables"),
    out: text("<folder>", "also write a page (comparison.html), the tables as Markdown and CSV, and the charts as SVG"),
  },
  examples: [
    ["npx openfedllm compare runs/quickstart runs/faster"],
    ["npx openfedllm compare runs/sweep --by federation.rounds --matrix --out report"],
  ],
  async run(flags, context, folders) {
    const found = readStoredRuns(folders);
    const sweep = sweepOf(found.runs);
    const { names = sweep !== undefined && flags.by === undefined } = flags;
    await showComparison(found, { ...flags, names, tuning: sweep?.tuning }, context);
  },
});
