import type { UpdateGroups } from "../algorithms/algorithm.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { BENCHMARKS } from "../evaluation/benchmark-registry.ts";
import type { Manifest } from "../federation/protocol/messages.ts";
import { initAdapter } from "../model/adapter.ts";
import { refuseMissingPlugins } from "../plugins/plugin.ts";
import { parseExperiment } from "../settings/parse.ts";
import type { Task } from "../settings/policy.ts";
import type { ExperimentConfig } from "../settings/schema.ts";
import type { SiteSettings } from "../settings/site.ts";
import { encodeGroups } from "../store/codec.ts";
import { mapParams, parameterCount, type Params } from "../tensor/params.ts";
import { stream } from "../tensor/random.ts";
import { sha256 } from "../tensor/sha256.ts";
import type { Stage } from "../updates/stage.ts";
import { packed, wireShape } from "../updates/wire.ts";
import { localSteps } from "./local-trainer.ts";
import { downlinkFor, stagesFor } from "./parties.ts";
import type { Prepared } from "./prepare.ts";
import { startOf } from "./run-identity.ts";

/**
 * The configuration of a site: the settings in a federation's manifest, and the site's own files, machine and copy of the base.
 *
 * @throws UserError of kind `config` for settings that this version does not know.
 */
export function siteConfig(
  manifest: Manifest,
  { data, model, runtime }: SiteSettings,
  client: string,
): ExperimentConfig {
  refuseMissingPlugins((manifest.settings as { readonly plugins?: unknown } | null)?.plugins);
  const shared = sharedConfig(manifest);
  const { train, heldOut, ...reading } = data;
  if (train === undefined) {
    throw new UserError("config", "this site has no files to train on", {
      hint: "Name them: openfedllm join --data FILE, or data.train in site.yaml.",
    });
  }
  const names = [...new Set([...manifest.clients, client])];
  const own = { name: client, train, ...(heldOut !== undefined && { heldOut }) };
  const { base } = { ...shared.model, ...model };
  return parseExperiment(
    {
      ...shared,
      model: { base },
      data: {
        ...withoutNulls(shared.data),
        ...reading,
        clients: names.map((name) => (name === client ? own : { name })),
      },
      runtime,
    },
    "the task of the federation",
  );
}

interface SharedConfig {
  readonly model: object;
  readonly data: object;
}

function sharedConfig({ settings }: Manifest): SharedConfig {
  const config = (settings as { readonly config?: Partial<SharedConfig> } | null)?.config;
  if (typeof config?.model === "object" && typeof config.data === "object") return config as SharedConfig;
  throw new UserError("config", "the task of the federation has no settings that this version knows", {
    hint: "Compare the versions of this software on both sides: openfedllm --version.",
  });
}

/** In a message `null` stands for a setting that is not there. */
function withoutNulls(section: object): object {
  return Object.fromEntries(Object.entries(section).filter(([, value]) => value !== null));
}

/** Stands for a task's settings: a person consents to a task by this hash. */
export function taskHash({ settings, algorithm }: Manifest): Promise<string> {
  return sha256(new TextEncoder().encode(JSON.stringify([algorithm, settings])));
}

/** A task as the person at a site has to know it before the site takes part. */
export interface SiteTask extends Task {
  readonly records: number;
  readonly heldOut: number;
  /** sha256 of the adapter that the run starts from; undefined for a fresh one. */
  readonly startsFrom: string | undefined;
  /** sha256 of the base's weights, as its checker gives it. */
  readonly baseFingerprint: string;
  /** Tensors and numbers of the adapter. */
  readonly tensors: number;
  readonly parameters: number;
}

/** Bytes of an update. Where they depend on its numbers, of one with numbers drawn at random. */
export function updateBytes({ config, algorithm, model }: Prepared): number {
  const adapter = initAdapter(config.adapter, model.modelConfig, config.seed);
  return bytesOnWire(algorithm.update(adapter, 1), stagesFor(config, algorithm), adapter, config.seed);
}

/** Bytes of the change of the adapter that a client is sent for a round; undefined where the adapter is sent whole. */
export function changeBytes({ config, algorithm, model }: Prepared): number | undefined {
  const downlink = downlinkFor(config, algorithm);
  if (downlink === undefined) return undefined;
  const adapter = initAdapter(config.adapter, model.modelConfig, config.seed);
  const groups: UpdateGroups = { adapter: { like: adapter, weighting: "uniform", combined: "mean" } };
  return bytesOnWire(groups, [downlink], adapter, config.seed);
}

function bytesOnWire(groups: UpdateGroups, stages: readonly Stage[], received: Params, seed: number): number {
  const shape = wireShape(groups, stages);
  if (stages.at(-1)?.codec === undefined) return encodeGroups(shape, {}).length;
  const random = stream(seed, "size of an update");
  const drawn = Object.fromEntries(
    Object.entries(shape).map(([name, params]) => [name, mapParams(params, () => random.normal())]),
  );
  return packed(drawn, stages, { seed, round: 1, client: "", received })!.length;
}

/** Describes the task of a site from its prepared half. */
export function siteTask(prepared: Prepared, client: string, { settings }: Pick<Manifest, "settings">): SiteTask {
  const { config, algorithm, model, trainers } = prepared;
  const trainer = trainers.find(({ name }) => name === client)!;
  const adapter = initAdapter(config.adapter, model.modelConfig, config.seed);
  return {
    config,
    localSteps: localSteps(config.training, trainer.train.length, { clients: 1, of: 1 }),
    updateBytes: algorithm.federated ? updateBytes(prepared) : 0,
    runsCode: config.evaluation.benchmarks
      .map(({ name }) => name)
      .filter((name) => BENCHMARKS[name]!.needs === "code-execution"),
    records: trainer.train.length,
    heldOut: trainer.clients.reduce((sum, { heldOut }) => sum + heldOut.items.length, 0),
    startsFrom: startOf(settings),
    baseFingerprint: model.weights.fingerprint,
    tensors: adapter.size,
    parameters: parameterCount(adapter),
  };
}
