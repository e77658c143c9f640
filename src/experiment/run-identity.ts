import { UserError } from "../diagnostics/user-error.ts";
import { sha256 } from "../tensor/sha256.ts";
import type { Example } from "../data/example.ts";
import { kindOf, type TrainingItem } from "../data/items/registry.ts";
import { hashOf, modelFingerprint } from "./fingerprint.ts";
import type { RunStore } from "./ports.ts";
import type { Prepared } from "./prepare.ts";
import type { HeldOut } from "./records/record-encoder.ts";
import { type PluginSource, pluginsOf, pluginsThatDiffer, refuseMissingPlugins } from "../plugins/plugin.ts";
import type { ExperimentConfig } from "../settings/schema.ts";
import {
  differing,
  isLengthened,
  settingsThatDiffer,
  shown,
  sortedAs,
  stopsOtherwise,
  storedOrder,
  withoutIndifferent,
  withRounds,
} from "./run-changes.ts";

/** The content of `config.json` of a run folder. */
interface BoundRun {
  readonly config: ExperimentConfig;
  /** sha256 of all training and held-out examples. */
  readonly data: string;
  /** sha256 of the validation parts that this process chooses by; absent where there are none. They change no round. */
  readonly validation?: string;
  /** sha256 of the base's weights and architecture. */
  readonly model: string;
  /** sha256 of the adapter that the run starts from (`model.adapter`); absent for a fresh one. */
  readonly adapter?: string;
  /** Threads of the engine. */
  readonly threads: number;
  /** Files of one's own that have what the configuration names; absent where it names nothing of theirs. */
  readonly plugins?: readonly PluginSource[];
  /** The rounds that the run was to have before it was lengthened, first to last; absent where it never was. */
  readonly lengths?: readonly number[];
}

/** Who plays the rounds: one process, or parties that agreed to a number of them. */
export type Players = "one process" | "parties";

/** Raise it with any change that makes the same settings, data and base give another adapter. */
const ARITHMETIC = 1;

/**
 * Ties a run store to everything its outcome depends on: settings, data and base model. A new store is given the resolved
 * configuration; one that holds another run is refused. Settings that change nothing in any round (which adapters are
 * kept, when to stop) may differ; `config.json` says when to stop as it was asked for last. In one process a run may be
 * lengthened: its identity stays that of the run as it was begun. `trainers` are the fingerprints of those who train, in
 * the order of tables. Returns the identity.
 *
 * @throws UserError of kind `config` naming the first settings that differ, `storage` for a damaged `config.json`.
 */
export async function bindRun(
  prepared: Prepared,
  store: RunStore,
  threads: number,
  trainers: readonly string[],
  players: Players,
): Promise<string> {
  const { config } = prepared;
  const run = await boundRun(prepared, threads, trainers);
  const stored = (await store.readJson("config.json")) as BoundRun | undefined;
  let lengths: readonly number[] = [];
  if (stored === undefined) await store.saveJson("config.json", run);
  else if (typeof stored?.config === "object" && stored.config !== null) {
    refuseOther(stored, run, players);
    const longer = isLengthened(stored.config, config);
    lengths = [...(stored.lengths ?? []), ...(longer ? [stored.config.federation.rounds] : [])];
    const bound = lengths.length === 0 ? run : { ...run, lengths };
    if (longer || stopsOtherwise(stored.config, config)) await store.saveJson("config.json", bound);
  } else {
    throw new UserError("storage", "config.json of the run folder is damaged: it holds no configuration", {
      hint: "Put the file back from a copy, or start the run in a new folder.",
    });
  }
  const begun = withRounds(run.config, lengths[0] ?? run.config.federation.rounds);
  const start = run.adapter === undefined ? [] : [run.adapter];
  const code = run.plugins === undefined ? [] : [run.plugins.map((plugin) => plugin.sha256)];
  return hashOf([ARITHMETIC, withoutIndifferent(begun), run.data, run.model, ...start, ...code]);
}

async function boundRun(prepared: Prepared, threads: number, trainers: readonly string[]): Promise<BoundRun> {
  return {
    config: prepared.config,
    data: await hashOf([
      trainers,
      await heldOutFingerprint(prepared.common),
      ...(prepared.root.length > 0 ? [await itemsFingerprint(prepared.root)] : []),
    ]),
    ...(await validationIn(prepared)),
    model: await modelFingerprint(prepared),
    ...(prepared.start && { adapter: prepared.start.hash }),
    threads,
    ...pluginsIn(prepared.config),
  };
}

/** The validation parts of `evaluation.validation`, where a best round is chosen by them. Dealt halves are a part of `data`. */
async function validationIn({ clients, commonValidation }: Prepared): Promise<{ validation?: string }> {
  const parts = [...sortedByName(clients).map(({ validation }) => validation), commonValidation];
  if (parts.every(({ items }) => items.length === 0)) return {};
  return { validation: await hashOf(await Promise.all(parts.map(heldOutFingerprint))) };
}

function sortedByName<T extends { readonly name: string }>(all: readonly T[]): T[] {
  return [...all].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * The same experiment with its clients in the order that its store has them in: the order changes tables, and the result of
 * a run that pools records.
 */
export async function inStoredOrder(prepared: Prepared, store: Pick<RunStore, "readJson">): Promise<Prepared> {
  const { config, clients, trainers } = prepared;
  const stored = (await store.readJson("config.json")) as Partial<BoundRun> | null | undefined;
  const order = stored?.config && storedOrder(stored.config, config);
  if (order === undefined) return prepared;
  return {
    ...prepared,
    config: { ...config, data: { ...config.data, clients: sortedAs(order, config.data.clients!) } },
    clients: sortedAs(order, clients),
    trainers: sortedAs(order, trainers),
  };
}

/** The plugins of a configuration, as a part of what its runs are bound to. */
export function pluginsIn(config: ExperimentConfig): { readonly plugins?: readonly PluginSource[] } {
  const plugins = pluginsOf(config);
  return plugins.length === 0 ? {} : { plugins };
}

/** The parts of a run's data and base that its store was bound to and that have changed since, in words. */
export async function changedSince(prepared: Prepared, store: Pick<RunStore, "readJson">): Promise<string[]> {
  const stored = (await store.readJson("config.json")) as BoundRun;
  const now = await boundRun(prepared, stored.threads, await trainerFingerprints(prepared));
  return changes(stored, now);
}

function changes(stored: BoundRun, now: BoundRun): string[] {
  return [
    ...(stored.data === now.data ? [] : ["the data (the files' records have changed)"]),
    // A run of an earlier version has no record of them, and one that chose by others then has none.
    ...(stored.validation === undefined || now.validation === undefined || stored.validation === now.validation
      ? []
      : ["the data (the records of the validation parts have changed)"]),
    ...(stored.model === now.model ? [] : ["the base model (its weights or its config.json have changed)"]),
    ...(stored.adapter === now.adapter
      ? []
      : ["the adapter to start from (the tensors of model.adapter have changed)"]),
  ];
}

/** The part of a bound run that is known before anything is loaded. */
export type BoundSettings = Pick<BoundRun, "config" | "threads" | "plugins">;

/** @throws UserError of kind `config` naming the first settings in which a run differs from the one that is stored. */
export function refuseOtherRun(stored: BoundSettings, run: BoundSettings, players: Players): void {
  const known = ({ config, threads, plugins }: BoundSettings): BoundRun => ({
    config,
    threads,
    data: "",
    model: "",
    ...(plugins && { plugins }),
  });
  refuseOther(known(stored), known(run), players);
}

function refuseOther(stored: BoundRun, run: BoundRun, players: Players): void {
  const differences = [
    ...settingsThatDiffer(stored.config, run.config),
    ...pluginsThatDiffer(stored.plugins, run.plugins ?? []),
  ];
  if (differences.length === 0 && players === "parties" && isLengthened(stored.config, run.config)) {
    throw notLengthened(stored.config.federation.rounds, run.config.federation.rounds);
  }
  if (differences.length === 0) differences.push(...changes(stored, run).slice(0, 1));
  if (differences.length === 0 && stored.threads !== run.threads) {
    throw new UserError(
      "config",
      `the run was begun with ${stored.threads} threads, and this is ${run.threads}: the engine may round differently`,
      { hint: `Continue with the same number: add --threads ${stored.threads}.` },
    );
  }
  if (differences.length === 0) return;
  const listed = differences.slice(0, 3).join("; ");
  throw new UserError(
    "config",
    `the run folder holds a run with other settings: ${listed}${differences.length > 3 ? "; …" : ""}`,
    {
      hint: "Choose another folder with --out, delete this folder, or go back to the settings it was started with (its config.json).",
    },
  );
}

function notLengthened(before: number, now: number): UserError {
  return new UserError(
    "config",
    `federation.rounds was ${before}, is ${now}: the parties of this run agreed to ${before} rounds, and a run of several parties is not lengthened`,
    { hint: "Start a new run from its adapter: --set model.adapter=RUN-FOLDER --out ANOTHER-FOLDER." },
  );
}

/**
 * The settings that all parties of a federation have to agree on, as one JSON value: everything but a site's files, the
 * machine and the output.
 */
export async function sharedSettings(prepared: Prepared): Promise<object> {
  const { data, ...others } = withoutIndifferent(prepared.config) as Omit<ExperimentConfig, "runtime" | "output">;
  const { template, inputs, system = null, maxLength, maxPromptLength = null } = data;
  const shared = { ...others, data: { template, inputs, system, maxLength, maxPromptLength } };
  return {
    config: JSON.parse(JSON.stringify(shared)) as object,
    model: await modelFingerprint(prepared),
    ...(prepared.start && { adapter: prepared.start.hash }),
    ...pluginsIn(prepared.config),
  };
}

interface SharedSettings {
  readonly config: { model: unknown };
  /** sha256 of the base's weights and architecture. */
  readonly model: string;
  /** sha256 of the adapter that the run starts from; absent for a fresh one. */
  adapter?: string;
  readonly plugins?: readonly PluginSource[];
}

/** The adapter that a federation's run starts from, as its settings name it: the sha256 of its tensors. */
export function startOf(settings: unknown): string | undefined {
  const { adapter } = (settings ?? {}) as Partial<SharedSettings>;
  return typeof adapter === "string" ? adapter : undefined;
}

/**
 * @param side who compares: its own manifest, or the coordinator's.
 * @throws UserError of kind `config` naming the first settings that differ from those of the federation.
 */
export async function refuseOtherSettings(
  prepared: Prepared,
  federation: unknown,
  side: "coordinator" | "participant",
): Promise<void> {
  const own = (await sharedSettings(prepared)) as SharedSettings;
  const theirs = federation as Partial<SharedSettings> | null;
  if (side === "participant") refuseMissingPlugins(theirs?.plugins);
  // The same weights may have another name on another machine.
  if (theirs?.model === own.model && theirs.config?.model !== undefined) own.config.model = theirs.config.model;
  // It comes with the run: a participant needs no copy of it.
  const start = startOf(federation);
  if (side === "participant" && start !== undefined) own.adapter = start;
  const differences = differing(federation, own);
  if (differences.length === 0) return;
  const others = differences.filter((difference) => !/^(config\.model\.base|model) was /.test(difference));
  if (others.length === 0 && side === "participant") throw otherBase(own, theirs!);
  const listed = (others.length > 0 ? others : differences).slice(0, 3).join("; ");
  const message = `the federation works with other settings: ${listed.replaceAll("config.", "")}`;
  throw new UserError("config", message, {
    hint:
      side === "participant"
        ? "Take the configuration of the coordinator; only data files, runtime and output may differ."
        : "Go back to the settings that the run was begun with (config.json of its folder), or start another run: --out.",
  });
}

function otherBase({ config, model }: SharedSettings, theirs: Partial<SharedSettings>): UserError {
  const nameOf = ({ model: settings }: SharedSettings["config"]): string =>
    shown((settings as { base?: unknown } | undefined)?.base);
  const [own, expected] = [model, String(theirs.model)].map((hash) => hash.slice(0, 12));
  return new UserError(
    "config",
    `the base model ${nameOf(config)} is not the one of the federation (${theirs.config === undefined ? "?" : nameOf(theirs.config)}): its hash is ${own}…, expected ${expected}…`,
    { hint: "Name a copy of the federation's base: --base FOLDER, or model.base. Nothing was sent." },
  );
}

/** For each trainer, a sha256 of the training and held-out examples of its clients. */
export function trainerFingerprints({ trainers }: Pick<Prepared, "trainers">): Promise<string[]> {
  return Promise.all(
    trainers.map(async ({ clients }) =>
      hashOf(
        await Promise.all(
          clients.map(async ({ name, train, heldOut }) => [
            name,
            await itemsFingerprint(train),
            await heldOutFingerprint(heldOut),
          ]),
        ),
      ),
    ),
  );
}

async function heldOutFingerprint({ items, pairs, choices }: HeldOut): Promise<string> {
  const chosen = choices.map(({ truth }) => truth);
  const options = choices.flatMap((choice) => choice.options);
  return hashOf([
    await itemsFingerprint(items),
    await itemsFingerprint(pairs),
    await itemsFingerprint(options),
    chosen,
  ]);
}

function itemsFingerprint(items: readonly TrainingItem[]): Promise<string> {
  return sha256(bytesOf(items));
}

/** Every sequence with its length before it, so that no two lists give the same bytes. */
function bytesOf(items: readonly TrainingItem[]): Uint8Array {
  const encoder = new TextEncoder();
  const parts = items
    .flatMap((item) => kindOf(item).parts(item))
    .flatMap((part) => (typeof part === "string" ? [encoder.encode(part)] : exampleParts(part)));
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function exampleParts({ id, tokens, supervised }: Example): Uint8Array[] {
  return [
    new TextEncoder().encode(`${id}\n${tokens.length}\n`),
    new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength),
    supervised,
  ];
}
