import { stringify } from "yaml";
import { UserError } from "../../diagnostics/user-error.ts";
import { experimentJsonSchema } from "../../settings/schema.ts";
import { readConfigFile } from "../../node/config-file.ts";
import type { CommandContext } from "./command-context.ts";
import { withoutSecrets } from "../failure.ts";

export interface ConfigFlags {
  readonly schema?: boolean;
  readonly set: readonly string[];
}

export function configCommand(
  configFile: string | undefined,
  { schema, set }: ConfigFlags,
  { stdout }: CommandContext,
): void {
  if ((schema === true) === (configFile !== undefined)) {
    throw new UserError(
      "config",
      `config needs either a configuration file or --schema, got ${schema ? "both" : "neither"}`,
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
}
