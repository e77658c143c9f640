import path from "node:path";
import { type Command, defineCommand } from "../command.ts";
import { allAdvanced, text, toggle } from "../flag.ts";
import { settingsHelp } from "../settings-help.ts";
import { gradingFlags } from "../work/grading.ts";
import { defaultRunFolder, readRunConfig, trainIn, writeSummary } from "../work/training.ts";
import { setFlag, threadsFlag } from "./shared-flags.ts";

export const command: Command = defineCommand({
  description:
    "Trains one adapter with every client of a configuration. Run the same command again to continue a stopped run.",
  argument: {
    placeholder: "<config>",
    description: "configuration file (YAML or JSON); its relative paths start at its folder",
  },
  flags: {
    set: setFlag,
    out: text("<folder>", "run folder (default: runs/<name of the configuration>)"),
    json: toggle("write every event as a line of JSON to stdout, and the summary last"),
    threads: threadsFlag,
    ...allAdvanced(gradingFlags),
  },
  moreHelp: settingsHelp,
  examples: [
    ["npx openfedllm run examples/quickstart.yaml"],
    ["npx openfedllm run my.yaml --set training.learningRate=1e-3 --set federation.rounds=20 --out runs/fast"],
    [`npx openfedllm run my.yaml --json | jq -c 'select(.type == "round-end") | [.round, .loss]'`],
  ],
  async run({ set, out, json = false, threads, ...grading }, context, configFile) {
    const config = readRunConfig(configFile, set, threads);
    const baseDir = path.dirname(configFile);
    const folder = out ?? defaultRunFolder(configFile);
    const summary = await trainIn(config, { baseDir, folder, json, grading }, context);
    writeSummary(summary, { config, baseDir, folder, json }, context);
  },
});
