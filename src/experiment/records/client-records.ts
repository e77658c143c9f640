import { nearest } from "../../diagnostics/nearest.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { type DatasetInfo, readDatasetInfo } from "../../data/dataset-info.ts";
import type { FileReader } from "../../data/file-reader.ts";
import { itemKind } from "../../data/items/registry.ts";
import { PARTITIONERS } from "../../data/partition.ts";
import { countProblems, type DataRecord, type RecordProblem } from "../../data/record.ts";
import { place } from "../../data/row.ts";
import { loadNamed } from "../../data/source.ts";
import { contentKey, repeatedRecords } from "../../data/same-content.ts";
import { useNotes } from "../../data/unused-columns.ts";
import { checkRoster } from "../../federation/roster.ts";
import { sampleOf, stream } from "../../tensor/random.ts";
import { participation } from "../../settings/parse.ts";
import { objectiveOf } from "../../train/objective-registry.ts";
import type { ExperimentConfig } from "../../settings/schema.ts";

/** The name the common held-out set is reported under. */
export const COMMON_SET = "common";

/** A client's records before they become tokens, in the order of its files. */
export interface ClientRecords {
  readonly name: string;
  readonly train: readonly DataRecord[];
  readonly heldOut: readonly DataRecord[];
  /** The validation part of its held-out set; empty where there is none, or where the run is scored on it. */
  readonly validation: readonly DataRecord[];
}

/** The names of the clients, where the configuration lists them; undefined where pooled records are dealt out. */
export function clientNames({ data }: ExperimentConfig): readonly string[] | undefined {
  return data.clients?.map(({ name }) => name);
}

/**
 * Reads the files of a configuration and gives each client its records: its own files, or a share of the pooled ones;
 * then its held-out records, then the limit. A pure function of the files and the configuration. `only` names the clients
 * to read; the files of the others are not opened.
 *
 * @throws UserError of kind `data` for unusable files, names, and a client left without records; `config` where too few are
 * left for a round.
 */
export async function loadClientRecords(
  config: ExperimentConfig,
  files: FileReader,
  onNote?: (note: string) => void,
  only?: readonly string[],
): Promise<ClientRecords[]> {
  const { data, federation, seed } = config;
  const dataSeed = data.seed ?? seed;
  if (only?.length === 0) return [];
  refuseUnknown(only ?? [], clientNames(config));
  const wanted = ({ name }: { readonly name: string }): boolean => only === undefined || only.includes(name);
  const unused = new Map<string, number>();
  const info = await infoOf(config, files);
  const load = (paths: string | readonly string[]): Promise<DataRecord[]> =>
    loadAll(files, paths, { config, info }, onNote, unused);
  const given =
    data.clients === undefined
      ? dealt(
          sampleOf(await load(data.train!), data.poolLimit, stream(dataSeed, "pool")),
          data.partition,
          federation.clients,
          dataSeed,
        )
      : await Promise.all(
          data.clients.filter(wanted).map(async ({ name, train, heldOut }) => ({
            name,
            train: await load(train ?? withoutFiles(name)),
            heldOut: heldOut === undefined ? undefined : await load(heldOut),
          })),
        );
  const trained = given.flatMap(({ train }) => train);
  for (const note of useNotes(trained, unused, data.partition.field)) onNote?.(note);
  if (given.some(({ name }) => name === COMMON_SET)) {
    throw new UserError("data", `a client is called "${COMMON_SET}", but this is the name of the common held-out set`, {
      hint: "Give the client another name.",
    });
  }
  const whole = given.filter(wanted).map(({ name, train, heldOut }) => {
    const split = heldOut === undefined ? holdOut(name, train, data.heldOutRecords, dataSeed) : { train, heldOut };
    const learnt = sampleOf(split.train, data.limit, stream(seed, "limit", name));
    return { name, train: learnt, heldOut: split.heldOut };
  });
  for (const { name, heldOut } of whole) refuseTrainedOn(heldOut, `client ${name}`, whole);
  const clients = whole.map(({ name, train, heldOut }) => {
    const copied = { set: `client ${name}`, train, copies: data.heldOutCopies };
    return { name, train, heldOut: withoutCopies(heldOut, copied, onNote) };
  });
  const repeated = clients.reduce((sum, client) => sum + repeatedRecords(client.train), 0);
  if (repeated > 0) onNote?.(`training records that repeat another of their client: ${repeated}`);
  checkRoster(clients.map(({ name, train, heldOut }) => ({ name, records: train.length, heldOut: heldOut.length })));
  const scored = clients.map((client) => ({ ...client, ...partsOf(client.name, client.heldOut, config) }));
  if (only !== undefined) return scored;
  const problem = participation(federation, clients.length);
  if (problem !== undefined) throw new UserError("config", problem.message, { hint: problem.hint });
  return scored;
}

function withoutFiles(client: string): never {
  throw new UserError("config", `client ${client} has no files to train on (data.clients)`, {
    hint: "Give the client `train`. A client on another machine takes part with openfedllm join, in a federation that openfedllm host leads.",
  });
}

function refuseUnknown(wanted: readonly string[], names: readonly string[] | undefined): void {
  const unknown = wanted.find((name) => names !== undefined && !names.includes(name));
  if (unknown === undefined) return;
  const near = nearest(unknown, names!);
  const some = names!.length <= 8 ? names! : [...names!.slice(0, 8), "…"];
  throw new UserError("config", `data.clients has no client "${unknown}"`, {
    hint: near === undefined ? `The clients are ${some.join(", ")}.` : `Did you mean '${near}'?`,
  });
}

/**
 * The records of the common held-out set that no record of `clients` repeats, in its parts; empty where none is configured.
 *
 * @throws UserError of kind `data` for unusable files, and for a record that one of `clients` trains on.
 */
export async function loadCommonRecords(
  config: ExperimentConfig,
  files: FileReader,
  clients: readonly Pick<ClientRecords, "name" | "train">[],
  onNote?: (note: string) => void,
): Promise<HeldOutParts> {
  const { heldOut } = config.data;
  const records =
    heldOut === undefined ? [] : await loadAll(files, heldOut, { config, info: await infoOf(config, files) }, onNote);
  refuseTrainedOn(records, "data.heldOut", clients);
  const train = clients.flatMap((client) => client.train);
  const own = withoutCopies(records, { set: "data.heldOut", train, copies: config.data.heldOutCopies }, onNote);
  return partsOf(COMMON_SET, own, config);
}

/** The records that the coordinator trains on itself (`data.root`); none where none are configured. */
export async function loadRootRecords(
  config: ExperimentConfig,
  files: FileReader,
  onNote?: (note: string) => void,
): Promise<readonly DataRecord[]> {
  const { root } = config.data;
  return root === undefined ? [] : loadAll(files, root, { config, info: await infoOf(config, files) }, onNote);
}

type HeldOutParts = Pick<ClientRecords, "heldOut" | "validation">;

/**
 * The part of a held-out set that a run is scored on, and the part to choose its best round by. The two parts of a set are
 * the same for every run with its data seed.
 *
 * @throws UserError of kind `data` for a set of one record.
 */
function partsOf(
  set: string,
  records: readonly DataRecord[],
  { data, evaluation: { validation, part = "test" }, seed }: ExperimentConfig,
): HeldOutParts {
  if (validation === undefined || records.length === 0) return { heldOut: records, validation: [] };
  if (records.length === 1) {
    throw new UserError("data", `the held-out set ${set} has 1 record, too few for a validation part and a test part`, {
      hint: "Hold out more records, or leave evaluation.validation out.",
    });
  }
  const count = Math.min(Math.max(Math.round(validation * records.length), 1), records.length - 1);
  const chosen = new Set(stream(data.seed ?? seed, "validation", set).sample(records.length, count));
  const inValidation = records.filter((_, i) => chosen.has(i));
  if (part === "validation") return { heldOut: inValidation, validation: [] };
  return { heldOut: records.filter((_, i) => !chosen.has(i)), validation: inValidation };
}

/** Whose training records a held-out set is compared with. */
interface Copied {
  /** Names the set. */
  readonly set: string;
  readonly train: readonly DataRecord[];
  readonly copies: "keep" | "leave-out" | undefined;
}

/**
 * Leaves out held-out records that say what a training record says, unless they are to be kept, and says how many.
 *
 * @throws UserError of kind `data` for a set that has no others.
 */
function withoutCopies(
  heldOut: readonly DataRecord[],
  { set, train, copies = "leave-out" }: Copied,
  onNote: ((note: string) => void) | undefined,
): readonly DataRecord[] {
  if (heldOut.length === 0) return heldOut;
  const learnt = new Set(train.map(contentKey));
  const own = heldOut.filter((record) => !learnt.has(contentKey(record)));
  if (own.length === heldOut.length) return heldOut;
  const what = `${set}: ${heldOut.length - own.length} of ${heldOut.length} held-out records say what a training record says`;
  if (copies === "keep") {
    onNote?.(`${what}, and are kept (data.heldOutCopies)`);
    return heldOut;
  }
  if (own.length === 0) {
    throw new UserError("data", `${what}, so that none is left`, {
      hint: "Give other held-out records, or set data.heldOutCopies: keep.",
    });
  }
  onNote?.(`${what}, and are left out (data.heldOutCopies)`);
  return own;
}

/** A loss on records somebody trained on would say nothing about new ones. */
function refuseTrainedOn(
  heldOut: readonly DataRecord[],
  whose: string,
  clients: readonly Pick<ClientRecords, "name" | "train">[],
): void {
  const key = ({ source }: DataRecord): string => `${source.file.replace(/^(\.\/)+/, "")}\n${source.record}`;
  const kept = new Map(heldOut.map((record) => [key(record), record]));
  for (const { name, train } of clients) {
    const both = train.find((record) => kept.has(key(record)));
    if (both === undefined) continue;
    throw new UserError("data", `${place(both.source)} is held out by ${whose} and trained on by client ${name}`, {
      hint: "Give held-out records files of their own, or let data.heldOutRecords keep some of each client's apart.",
    });
  }
}

async function infoOf({ data }: ExperimentConfig, files: FileReader): Promise<DatasetInfo | undefined> {
  return data.info === undefined ? undefined : readDatasetInfo(files, data.info);
}

async function loadAll(
  files: FileReader,
  paths: string | readonly string[],
  { config, info }: { readonly config: ExperimentConfig; readonly info: DatasetInfo | undefined },
  onNote: ((note: string) => void) | undefined,
  unused: Map<string, number> = new Map(),
): Promise<DataRecord[]> {
  const { data, objective, seed } = config;
  const list = [paths].flat();
  const twice = list.find((path, i) => list.indexOf(path) !== i);
  if (twice !== undefined) throw new UserError("data", `${twice} is listed twice, so its records would count twice`);
  const loaded = await Promise.all(
    list.map((path) =>
      loadNamed(files, path, {
        info,
        draw: (records, count) => sampleOf(records, count, stream(data.seed ?? seed, "info", path)),
        format: data.format,
        delimiter: data.delimiter,
        fields: data.fields,
        learnFrom: itemKind(objectiveOf(objective.name, objective).items).learnFrom,
        invalid: data.invalid,
      }),
    ),
  );
  for (const [i, { skipped }] of loaded.entries()) if (skipped.length > 0) onNote?.(skippedNote(list[i]!, skipped));
  for (const [column, rows] of loaded.flatMap((file) => [...file.unused])) {
    unused.set(column, (unused.get(column) ?? 0) + rows);
  }
  const all = loaded.flatMap(({ records }) => records);
  if (new Set(all.map(({ id }) => id)).size === all.length) return all;
  // Two files of one name in different folders: their whole paths tell their records apart.
  return all.map((record) => ({ ...record, id: `${record.source.file}#${record.source.record}` }));
}

/** `a.jsonl: 36 rows left out (the two answers are equal: 32, the rejected answer is empty: 4)` */
function skippedNote(file: string, skipped: readonly RecordProblem[]): string {
  const reasons = countProblems(skipped).map(({ problem, rows }) => `${problem}: ${rows}`);
  const shown = reasons.length <= 3 ? reasons : [...reasons.slice(0, 3), "…"];
  return `${file}: ${skipped.length} ${skipped.length === 1 ? "row" : "rows"} left out (${shown.join(", ")})`;
}

function dealt(
  records: readonly DataRecord[],
  { by, ...options }: ExperimentConfig["data"]["partition"],
  clients: number | undefined,
  seed: number,
) {
  const shards = PARTITIONERS[by](records, { ...options, clients }, (...key) => stream(seed, ...key));
  return shards.map(({ client, records: indices }) => ({
    name: client,
    train: Array.from(indices, (i) => records[i]!),
    heldOut: undefined,
  }));
}

function holdOut(client: string, records: readonly DataRecord[], count: number, seed: number) {
  if (count >= records.length) {
    throw new UserError(
      "data",
      `client ${client} has ${records.length} records, so data.heldOutRecords ${count} would leave it none to train on`,
      {
        hint: "Lower data.heldOutRecords, or give the client more records.",
      },
    );
  }
  const chosen = new Set(stream(seed, "held-out", client).sample(records.length, count));
  return { train: records.filter((_, i) => !chosen.has(i)), heldOut: records.filter((_, i) => chosen.has(i)) };
}
