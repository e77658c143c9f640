import type { TemplateName } from "../data/template.ts";
import type { Platform } from "../experiment/ports.ts";
import { type Answerer, openAnswerer } from "../serving/answerer.ts";
import { type NamedModel, openNamedAdapters } from "./fitting-adapter.ts";

export interface LoadAnswererOptions {
  /** Reference of the base. */
  readonly model: string;
  readonly adapters?: readonly NamedModel[] | undefined;
  /** Default: the model's own chat template. */
  readonly template?: TemplateName | undefined;
  /** Tokens of prompt and answer together; default 2,048, or the model's number of positions where that is smaller. */
  readonly maxLength?: number | undefined;
}

/** Default number of tokens of prompt and answer together. */
export const DEFAULT_WINDOW = 2048;

/** Opens a base and adapters from folders. @throws UserError of kind `model`, or `config` for a name given twice. */
export async function loadAnswerer(
  { model: ref, adapters: named = [], template = "chat", maxLength = DEFAULT_WINDOW }: LoadAnswererOptions,
  platform: Platform,
): Promise<Answerer> {
  const base = await platform.openModel(ref);
  const adapters = await openNamedAdapters(platform, base, named);
  return openAnswerer({ runtime: platform.runtime, base, reference: ref, adapters, template, maxLength });
}
