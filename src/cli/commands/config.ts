import { stringify } from "yaml";
import { UserError } from "../../diagnostics/user-error.ts";
import { readConfigFile } from "../../node/config-file.ts";
import { experimentJsonSchema } from "../../settings/schema.ts";
import { type Command, defineCommand } from "../command.ts";
import { withoutSecrets } from "../failure.ts";
import { toggle } from "../flag.ts";
import { setFlag } from "./shared-flags.ts";

export const command: Command = defineCommand({
  description: "Prints a configuration as YAML with every default filled in, or the JSON Schema of configurations.",
  argument: { placeholder: "[config]", description: "configuration file" },
  flags: {
    set: setFlag,
    schema: toggle("print the JSON Schema, for editors"),
  },
  examples: [
    ["npx openfedllm config my.yaml --set adapter.rank=16"],
    ["npx openfedllm config --schema > openfedllm.schema.json"],
  ],
  async run({ schema, set }, { stdout }, configFile) {
    if ((schema === true) === (configFile !== undefined)) {
      throw new UserError(
        "config",
        `config needs either a configuration file or --schema, got ${schema === true ? "both" : "neither"}`,
        {
          hint: "openfedllm config FILE prints the file with every default; openfedllm config --schema prints the JSON Schema.",
        },
      );
    }
    const text =
      configFile === undefined
        ? `${JSON.stringify(experimentJsonSchema(), null, 2)}\n`
        : withoutSecrets(stringify(readConfigFile(configFile, set)));
    stdout.write(text);
  },
});
