import path from "node:path";
import { describeData } from "../../experiment/prepare.ts";
import { readConfigFile } from "../../node/config-file.ts";
import { fileReader } from "../../node/files.ts";
import { DEFAULT_COLUMNS, type CommandContext } from "./command-context.ts";
import { withHub } from "./hub-work.ts";
import { partitionLines } from "../views/partition-picture.ts";

export interface PartitionFlags {
  readonly set: readonly string[];
  readonly json?: boolean;
}

export async function partitionCommand(
  configFile: string,
  { set, json }: PartitionFlags,
  context: CommandContext,
): Promise<void> {
  const { stdout } = context;
  const config = readConfigFile(configFile, set);
  const description = await withHub(context, ({ hub, note }) =>
    describeData(config, { files: fileReader(path.dirname(configFile), hub) }, note),
  );
  const text = json
    ? JSON.stringify(description)
    : partitionLines(description, { columns: stdout.columns() ?? DEFAULT_COLUMNS, style: stdout.style }).join("\n");
  stdout.write(`${text}\n`);
}
