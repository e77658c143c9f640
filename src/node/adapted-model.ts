import { checkAdapter, type AdapterConfig } from "../model/adapter.ts";
import type { BaseModel } from "../model/base-model.ts";
import { openTokenizer, loraShape } from "../experiment/prepare.ts";
import type { Platform } from "../experiment/ports.ts";
import type { Tokenizer } from "../data/tokenizer.ts";
import type { Params } from "../tensor/params.ts";
import { openScorer, type Scorer } from "../train/scorer.ts";
import { loadAdapter } from "./adapter-files.ts";

/** A base model with or without an adapter, ready to score and to generate. */
export interface AdaptedModel {
  readonly model: BaseModel;
  readonly tokenizer: Tokenizer;
  readonly scorer: Scorer;
  /** Empty without an adapter. */
  readonly adapter: Params;
  /** Longest sequence the scorer takes: what was asked for, or all the positions the model has. */
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
  let loaded: { config: AdapterConfig; params: Params } | undefined;
  if (folder !== undefined) {
    loaded = await loadAdapter(folder);
    checkAdapter(loaded.params, loaded.config, model.config, folder);
  }
  const maxLength = Math.min(wanted, model.config.maxPositions);
  const scorer = await openScorer({
    runtime: platform.runtime,
    config: model.config,
    weights: model.weights,
    lora: loaded && loraShape(loaded.config, model.config),
    maxLength,
    microBatchTokens: 1024,
  });
  return { model, tokenizer, scorer, adapter: loaded?.params ?? new Map(), maxLength };
}
