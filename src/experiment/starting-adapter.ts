import { adapterBytes } from "../federation/round.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { type AdapterConfig, checkAdapter, initAdapter, loraShape, targetModules } from "../model/adapter.ts";
import type { BaseModel } from "../model/base-model.ts";
import type { LoraShape } from "../model/lora.ts";
import type { ModelConfig } from "../model/config.ts";
import type { Params } from "../tensor/params.ts";
import { sha256 } from "../tensor/sha256.ts";
import type { ExperimentConfig } from "../settings/schema.ts";
import type { Platform } from "./ports.ts";

/** The adapter of `model.adapter`, which a run starts from. */
export interface StartingAdapter {
  readonly params: Params;
  /** sha256 of its tensors as runs store them. */
  readonly hash: string;
  /** sha256 of the base that a run trained it on, where that is known. */
  readonly baseHash: string | undefined;
}

/**
 * Opens the adapter that a run is to start from; undefined for a fresh one.
 *
 * @throws UserError: `model` for an adapter that cannot be read or does not fit the base, `config` where the settings are
 * those of another adapter.
 */
export async function openStartingAdapter(
  { model: { adapter: ref }, adapter: settings }: Pick<ExperimentConfig, "model" | "adapter">,
  platform: Pick<Platform, "openTrainedAdapter">,
  { modelConfig }: Pick<BaseModel, "modelConfig">,
): Promise<StartingAdapter | undefined> {
  if (ref === undefined) return undefined;
  const { config, params, baseHash } = await platform.openTrainedAdapter(ref);
  checkAdapter(params, config, modelConfig, `model.adapter ${ref}`);
  refuseOtherShape(ref, config, settings, modelConfig);
  const ordered = new Map([...initAdapter(settings, modelConfig, 0).keys()].map((name) => [name, params.get(name)!]));
  return { params: ordered, hash: await sha256(adapterBytes(ordered)), baseHash };
}

/** The adapter of round 0: the one to start from or, without it, one that changes nothing. */
export function initialAdapter({
  config,
  model,
  start,
}: {
  readonly config: Pick<ExperimentConfig, "adapter" | "seed">;
  readonly model: Pick<BaseModel, "modelConfig">;
  readonly start?: StartingAdapter | undefined;
}): Params {
  return start?.params ?? initAdapter(config.adapter, model.modelConfig, config.seed);
}

/** @throws UserError of kind `config` naming every setting that is not the adapter's. */
function refuseOtherShape(
  ref: string,
  adapter: AdapterConfig,
  settings: ExperimentConfig["adapter"],
  model: ModelConfig,
): void {
  const [own, wanted] = [loraShape(adapter, model), loraShape(settings, model)];
  if (isMixed(own)) {
    throw new UserError(
      "config",
      `the adapter ${ref} (model.adapter) has ranks or scales of its own for some modules, and training gives all the same`,
      { hint: "Start from an adapter without rank_pattern and alpha_pattern." },
    );
  }
  const names = (of: LoraShape): string => [...of.modules.keys()].sort().join();
  const differences = [
    ...(["rank", "alpha", "rsLora"] as const).flatMap((key) =>
      adapter[key] === settings[key] ? [] : [`adapter.${key} is ${settings[key]}, its own is ${adapter[key]}`],
    ),
    ...(names(own) === names(wanted)
      ? []
      : [
          `adapter.targets is ${targetText(settings.targets)}, its own are ${targetText(shortTargets(adapter, model))}`,
        ]),
  ];
  if (differences.length === 0) return;
  const { rank, alpha, rsLora } = adapter;
  const targets = targetText(shortTargets(adapter, model));
  throw new UserError("config", `the adapter ${ref} (model.adapter) has another shape: ${differences.join("; ")}`, {
    hint: `Set adapter: { rank: ${rank}, alpha: ${alpha}, targets: ${targets}${rsLora ? ", rsLora: true" : ""} }`,
  });
}

/** True where modules have different ranks or scales. */
function isMixed({ modules }: LoraShape): boolean {
  return new Set(Array.from(modules.values(), ({ rank, scale }) => `${rank} ${scale}`)).size > 1;
}

function targetText(targets: AdapterConfig["targets"]): string {
  return typeof targets === "string" ? targets : `[${targets.join(", ")}]`;
}

/** The targets by the shortest names that take the same modules. */
function shortTargets(adapter: AdapterConfig, model: ModelConfig): AdapterConfig["targets"] {
  const own = targetModules(model, adapter.targets).map(({ name }) => name);
  if (own.length === targetModules(model, "all-linear").length) return "all-linear";
  const short = [...new Set(own.map((name) => name.split(".").at(-1)!))];
  return targetModules(model, short).length === own.length ? short : own;
}
