import { existsSync } from "node:fs";
import path from "node:path";
import type { TemplateName } from "../data/template.ts";
import type { Platform } from "../experiment/ports.ts";
import { type Answerer, type NamedAdapter, openAnswerer } from "../serving/answerer.ts";
import { loadAdapterFor } from "./adapted-model.ts";
import { parseHubModel } from "../node/hub/hub-model.ts";

/** A folder with an adapter and the name it answers to. */
export interface AdapterFolder {
  readonly name: string;
  readonly folder: string;
}

export interface LoadAnswererOptions {
  readonly model: string;
  readonly adapters?: readonly AdapterFolder[] | undefined;
  /** Default: the model's own chat template. */
  readonly template?: TemplateName | undefined;
  /** Tokens of prompt and answer together; default 2,048, or what the model has positions for. */
  readonly maxLength?: number | undefined;
}

const DEFAULT_WINDOW = 2048;

/** Opens a base and adapters from folders. @throws UserError of kind `model`, or `config` for a name given twice. */
export async function loadAnswerer(
  { model: ref, adapters = [], template = "chat", maxLength = DEFAULT_WINDOW }: LoadAnswererOptions,
  platform: Platform,
): Promise<Answerer> {
  const model = await platform.openModel(ref);
  const loaded: NamedAdapter[] = [];
  for (const { name, folder } of adapters) loaded.push({ name, ...(await loadAdapterFor(model, folder)) });
  const { runtime } = platform;
  return openAnswerer({ runtime, model, base: baseName(ref), adapters: loaded, template, maxLength });
}

/** A base by its reference, a folder by its name alone: a path is nobody else's business. */
function baseName(ref: string): string {
  if (ref.startsWith("npm:") || (parseHubModel(ref) !== undefined && !existsSync(ref))) return ref;
  return path.basename(path.resolve(ref));
}

/** `NAME=FOLDER`, or a folder alone, which is called as it is, or as the run it belongs to. */
export function parseAdapterFolder(text: string): AdapterFolder {
  const [, name, folder] = /^([^=/\\]+)=(.+)$/.exec(text) ?? [];
  if (name !== undefined && folder !== undefined) return { name, folder };
  const full = path.resolve(text);
  const last = path.basename(full);
  return { name: last === "adapter" ? path.basename(path.dirname(full)) : last, folder: text };
}
