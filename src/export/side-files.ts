import { TOOL_TEMPLATE } from "../model/base-model.ts";
import type { ExportFolder, ExportSource } from "./target.ts";
import { writeWhole } from "./target.ts";

/** Files that belong to a Hugging Face tokenizer or to how a model generates; those that a base has are copied as they are. */
const SIDE_FILES = [
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "chat_template.jinja",
  TOOL_TEMPLATE,
];

/** Copies the tokenizer's files and `generation_config.json` of the base. */
export async function copySideFiles({ base }: ExportSource, folder: ExportFolder): Promise<void> {
  for (const name of SIDE_FILES) {
    const content = await base.sideFile(name);
    if (content !== undefined) await writeWhole(folder, name, content);
  }
}

/** Reads the base's `config.json`, which was read and checked before when the base was opened. */
export async function readBaseConfig({ base }: ExportSource): Promise<Record<string, unknown>> {
  const content = await base.sideFile("config.json");
  if (content === undefined) throw new Error(`the folder of ${base.name} has lost its config.json`);
  return JSON.parse(new TextDecoder().decode(content)) as Record<string, unknown>;
}
