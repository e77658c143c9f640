import type { Platform } from "../experiment/ports.ts";
import { type Adapter, checkAdapter, loraShape, type StoredAdapter } from "../model/adapter.ts";
import type { BaseModel } from "../model/base-model.ts";

/** A named model: the base with the adapter of a folder, or alone. */
export interface NamedModel {
  readonly name: string;
  readonly folder?: string | undefined;
}

/** Reads an adapter and checks that it fits the base. @throws UserError of kind `model`, for example for another rank. */
export async function openFittingAdapter(
  platform: Platform,
  { modelConfig: model }: BaseModel,
  ref: string,
): Promise<Adapter & Pick<StoredAdapter, "hash">> {
  const { config, params, hash } = await platform.openAdapter(ref);
  checkAdapter(params, config, model, ref);
  return { shape: loraShape(config, model), params, hash };
}
