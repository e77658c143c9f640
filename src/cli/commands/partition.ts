import path from "node:path";
import { describeData } from "../../experiment/records/describe-data.ts";
import { readConfigFile } from "../../node/config-file.ts";
import { fileReader } from "../../node/files.ts";
import { lazyHub } from "../../node/hub/hub.ts";
import { type Command, DEFAULT_COLUMNS, defineCommand } from "../command.ts";
import { toggle } from "../flag.ts";
import { partitionLines } from "../views/partition-picture.ts";
import { withStatus } from "../work/work.ts";
import { setFlag } from "./shared-flags.ts";

export const command: Command = defineCommand({
  description: "Reads the data of a configuration and shows the number of records of every client, and their labels.",
  argument: { placeholder: "<config>", description: "configuration file" },
  flags: {
    set: setFlag,
    json: toggle("write the counts as JSON"),
  },
  examples: [
    ["npx openfedllm partition examples/quickstart.yaml"],
    ["npx openfedllm partition pooled.yaml --set data.partition.by=dirichlet --set data.partition.alpha=0.1"],
  ],
  async run({ set, json }, context, configFile) {
    const { stdout } = context;
    const config = readConfigFile(configFile, set);
    const description = await withStatus(
      context,
      ({ status, reports }) => {
        const files = fileReader(path.dirname(configFile), lazyHub(reports));
        return describeData(config, { files }, status.note);
      },
      { long: true },
    );
    const text =
      json === true
        ? JSON.stringify(description)
        : partitionLines(description, { columns: stdout.columns() ?? DEFAULT_COLUMNS, style: stdout.style }).join("\n");
    stdout.write(`${text}\n`);
  },
});
