import { checkRunFolder } from "../../node/store/stored-experiment.ts";
import { type Command, defineCommand } from "../command.ts";
import { text } from "../flag.ts";
import { writePrivacyReport } from "../work/privacy-report.ts";

export const command: Command = defineCommand({
  description:
    "Writes what a run promises about privacy, for a data protection officer to sign: unit, trust, ε and δ, what each client has spent, what the promise rests on, and what it does not cover. One HTML file that loads nothing, and the same as Markdown.",
  argument: { placeholder: "<folder>", description: "run folder, also of a run that was stopped" },
  flags: { out: text("<folder>", "folder for privacy.html and privacy.md (default: the run folder)") },
  examples: [["npx openfedllm privacy report runs/my"]],
  async run({ out }, { stdout }, folder) {
    checkRunFolder(folder);
    for (const file of await writePrivacyReport(folder, out)) stdout.write(`${file}\n`);
  },
});
