import type { Platform } from "../experiment/ports.ts";
import { type Adapter, checkAdapter, loraShape, type StoredAdapter } from "../model/adapter.ts";
import type { BaseModel } from "../model/base-model.ts";

/** A named model: the base with the adapter of a folder, or alone. */
export interface NamedModel {
  readonly name: string;
  readonly folder?: string | undefined;
}

/** An adapter that fits its base, with the hash of its tensors. */
type FittingAdapter = Adapter & Pick<StoredAdapter, "hash" | "config">;

interface OpenedModel {
  readonly name: string;
  /** Undefined: the bare base. */
  readonly adapter: FittingAdapter | undefined;
}

/** Reads an adapter and checks that it fits the base. @throws UserError of kind `model`, for example for another rank. */
export async function openFittingAdapter(
  platform: Platform,
  { modelConfig: model }: BaseModel,
  ref: string,
): Promise<FittingAdapter> {
  const { config, params, hash } = await platform.openAdapter(ref);
  checkAdapter(params, config, model, ref);
  return { config, shape: loraShape(config, model), params, hash };
}

/** Reads the adapters of named models, in order. @throws UserError, as `openFittingAdapter`. */
export async function openNamedAdapters(
  platform: Platform,
  base: BaseModel,
  models: readonly NamedModel[],
): Promise<OpenedModel[]> {
  const opened: OpenedModel[] = [];
  for (const { name, folder } of models) {
    opened.push({ name, adapter: folder === undefined ? undefined : await openFittingAdapter(platform, base, folder) });
  }
  return opened;
}
