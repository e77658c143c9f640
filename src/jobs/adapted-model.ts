import { checkAdapter, type AdapterConfig } from "../model/adapter.ts";
import type { BaseModel } from "../model/base-model.ts";
import { openTokenizer, loraShape } from "../experiment/prepare.ts";
import type { Platform } from "../experiment/ports.ts";
import type { Tokenizer } from "../data/tokenizer.ts";
import type { Params } from "../tensor/params.ts";
import type { LoraShape } from "../model/lora.ts";
import { loadAdapter } from "../node/model/adapter-files.ts";

/** A base model with or without an adapter: what a scorer or a decoder is opened from. */
export interface AdaptedModel {
  readonly model: BaseModel;
  readonly tokenizer: Tokenizer;
  /** Undefined without an adapter. */
  readonly lora: LoraShape | undefined;
  /** Empty without an adapter. */
  readonly adapter: Params;
  /** Longest sequence: what was asked for, or all the positions the model has. */
  readonly maxLength: number;
}

/** @throws UserError of kind `model`, among others for an adapter of another base or rank. */
export async function openAdaptedModel(
  {
    model: ref,
    adapter: folder,
    maxLength: wanted,
  }: { readonly model: string; readonly adapter?: string | undefined; readonly maxLength: number },
  platform: Platform,
): Promise<AdaptedModel> {
  const model = await platform.openModel(ref);
  const tokenizer = openTokenizer(model);
  const loaded = folder === undefined ? undefined : await loadAdapterFor(model, folder);
  const maxLength = Math.min(wanted, model.config.maxPositions);
  return {
    model,
    tokenizer,
    lora: loaded && loraShape(loaded.config, model.config),
    adapter: loaded?.params ?? new Map(),
    maxLength,
  };
}

/** An adapter of a folder that fits the base. @throws UserError of kind `model`. */
export async function loadAdapterFor(
  { config }: BaseModel,
  folder: string,
): Promise<{ config: AdapterConfig; params: Params }> {
  const loaded = await loadAdapter(folder);
  checkAdapter(loaded.params, loaded.config, config, folder);
  return loaded;
}
