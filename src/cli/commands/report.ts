import { checkRunFolder } from "../../node/store/stored-experiment.ts";
import { type Command, defineCommand } from "../command.ts";
import { text } from "../flag.ts";
import { writeRunReport } from "../work/run-report.ts";

export const command: Command = defineCommand({
  description:
    "Makes the page of a run anew: losses, held-out scores, who trained when, bytes, answers, settings, and what a reader should doubt. One HTML file that loads nothing. Every run writes it at its end.",
  argument: {
    placeholder: "<folder>",
    description: "run folder, also of a run that was stopped or of an older version",
  },
  flags: { out: text("<file>", "file to write (default: report.html in the run folder)") },
  examples: [["npx openfedllm report runs/quickstart"]],
  async run({ out }, { stdout }, folder) {
    checkRunFolder(folder);
    stdout.write(`${await writeRunReport(folder, out)}\n`);
  },
});
