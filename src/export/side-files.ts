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

/**
 * Writes what stands beside exported weights: the base's `config.json` with `changes`, and its tokenizer's files and
 * `generation_config.json` as they are.
 */
export async function writeSideFiles(source: ExportSource, folder: ExportFolder, changes: object): Promise<void> {
  const { torch_dtype: _old, quantization_config: _none, ...config } = await readBaseConfig(source);
  await writeWhole(folder, "config.json", `${JSON.stringify({ ...config, ...changes }, null, 2)}\n`);
  for (const name of SIDE_FILES) {
    const content = await source.base.sideFile(name);
    if (content !== undefined) await writeWhole(folder, name, content);
  }
}

/** Reads the base's `config.json`, which was read and checked before when the base was opened. */
export async function readBaseConfig({ base }: ExportSource): Promise<Record<string, unknown>> {
  const content = await base.sideFile("config.json");
  if (content === undefined) throw new Error(`the folder of ${base.name} has lost its config.json`);
  return JSON.parse(new TextDecoder().decode(content)) as Record<string, unknown>;
}
