import type { TemplateName } from "../../data/template.ts";
import { scoreFile } from "../../jobs/score.ts";
import type { CommandContext } from "./command-context.ts";
import { withModel } from "./model-command.ts";
import { counted, formatCount, formatLoss } from "../views/quantities.ts";
import { tableLines } from "../tables/table.ts";

export interface ScoreFlags {
  readonly model: string;
  readonly adapter?: string;
  readonly data: string;
  readonly template?: TemplateName;
  readonly maxLength?: number;
  readonly threads?: number;
  readonly json?: boolean;
}

export async function scoreCommand({ json, threads, ...options }: ScoreFlags, context: CommandContext): Promise<void> {
  const { stdout } = context;
  const score = await withModel(context, threads, async ({ platform, status, signal, clearStatus }) => {
    status.say(`opening ${options.model}`);
    const onRecord = (row: { index: number; logprob: number; tokens: number }): void => {
      if (json) {
        clearStatus();
        stdout.write(`${JSON.stringify(row)}\n`);
      } else {
        status.say(`scored ${counted(row.index + 1, "record")}`);
      }
    };
    return scoreFile(options, platform, onRecord, signal);
  });
  if (json) {
    stdout.write(`${JSON.stringify(score)}\n`);
    return;
  }
  const { style } = stdout;
  const rows = [
    [style("dim", "records"), formatCount(score.records)],
    [style("dim", "tokens"), formatCount(score.tokens)],
    [style("dim", "loss"), `${formatLoss(score.loss)}  nats a token`],
    [style("dim", "perplexity"), formatLoss(score.perplexity)],
  ];
  stdout.write(`${tableLines([{}, {}], rows).join("\n")}\n`);
}
