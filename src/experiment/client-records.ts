import { UserError } from "../diagnostics/user-error.ts";
import type { FileReader } from "../data/file-reader.ts";
import { PARTITIONERS } from "../data/partition.ts";
import type { DataRecord, RecordProblem } from "../data/record.ts";
import { place } from "../data/row.ts";
import { loadRecords } from "../data/source.ts";
import { checkRoster } from "../federation/roster.ts";
import { stream } from "../tensor/random.ts";
import { participation } from "./parse.ts";
import type { ExperimentConfig } from "./schema.ts";

/** The name the common held-out set is reported under. */
export const COMMON_SET = "common";

/** A client's records before they become tokens, in the order of its files. */
export interface ClientRecords {
  readonly name: string;
  readonly train: readonly DataRecord[];
  readonly heldOut: readonly DataRecord[];
}

/**
 * Reads every file of a configuration and gives each client its records: its own files, or a share of the pooled ones;
 * then what it holds out, then the limit. A pure function of the files and the configuration.
 *
 * @throws UserError of kind `data` for unusable files, names, and a client left without records; `config` where too few are
 * left for a round.
 */
export async function loadClientRecords(
  { data, federation, seed }: ExperimentConfig,
  files: FileReader,
  onNote?: (message: string) => void,
): Promise<ClientRecords[]> {
  const load = (paths: string | readonly string[]): Promise<DataRecord[]> => loadAll(files, paths, data, onNote);
  const given =
    data.clients === undefined
      ? dealt(await load(data.train!), data.partition, federation.clients, seed)
      : await Promise.all(
          data.clients.map(async ({ name, train, heldOut }) => ({
            name,
            train: await load(train),
            heldOut: heldOut === undefined ? undefined : await load(heldOut),
          })),
        );
  if (data.heldOut !== undefined && given.some(({ name }) => name === COMMON_SET)) {
    throw new UserError("data", `a client is called "${COMMON_SET}", which is what data.heldOut is reported as`, {
      hint: "Give the client another name.",
    });
  }
  const clients = given.map(({ name, train, heldOut }) => {
    const split = heldOut === undefined ? holdOut(name, train, data.heldOutRecords, seed) : { train, heldOut };
    return { name, train: limited(name, split.train, data.limit, seed), heldOut: split.heldOut };
  });
  for (const { name, heldOut } of clients) refuseTrainedOn(heldOut, `client ${name}`, clients);
  checkRoster(clients.map(({ name, train, heldOut }) => ({ name, records: train.length, heldOut: heldOut.length })));
  const problem = participation(federation, clients.length);
  if (problem !== undefined) throw new UserError("config", problem.message, { hint: problem.hint });
  return clients;
}

/**
 * The records of the common held-out set; empty where none is configured.
 *
 * @throws UserError of kind `data` for unusable files, and for a record that one of `clients` trains on.
 */
export async function loadCommonRecords(
  { data }: ExperimentConfig,
  files: FileReader,
  clients: readonly ClientRecords[],
  onNote?: (message: string) => void,
): Promise<DataRecord[]> {
  const records = data.heldOut === undefined ? [] : await loadAll(files, data.heldOut, data, onNote);
  refuseTrainedOn(records, "data.heldOut", clients);
  return records;
}

/** A loss on records somebody trained on would say nothing about new ones. */
function refuseTrainedOn(heldOut: readonly DataRecord[], whose: string, clients: readonly ClientRecords[]): void {
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

async function loadAll(
  files: FileReader,
  paths: string | readonly string[],
  data: ExperimentConfig["data"],
  onNote: (message: string) => void = () => {},
): Promise<DataRecord[]> {
  const list = [paths].flat();
  const twice = list.find((path, i) => list.indexOf(path) !== i);
  if (twice !== undefined) throw new UserError("data", `${twice} is listed twice, so its records would count twice`);
  const loaded = await Promise.all(
    list.map((path) => loadRecords(files, path, { format: data.format, fields: data.fields })),
  );
  for (const { records, skipped } of loaded) {
    if (skipped.length > 0) onNote(skippedNote(skipped, records.length));
  }
  const all = loaded.flatMap(({ records }) => records);
  if (new Set(all.map(({ id }) => id)).size === all.length) return all;
  // Two files of one name in different folders: their whole paths tell their records apart.
  return all.map((record) => ({ ...record, id: `${record.source.file}#${record.source.record}` }));
}

/** How many rows of a dataset are no records, and what is wrong with the first. */
function skippedNote(skipped: readonly RecordProblem[], kept: number): string {
  const [first] = skipped;
  const count = `${skipped.length} of ${kept + skipped.length} rows of ${first!.source.file}`;
  return `${count} cannot be used and are left out, the first of them ${first!.source.record}: ${first!.problem}`;
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

function limited(
  client: string,
  records: readonly DataRecord[],
  limit: number | undefined,
  seed: number,
): readonly DataRecord[] {
  if (limit === undefined || limit >= records.length) return records;
  return stream(seed, "limit", client)
    .sample(records.length, limit)
    .map((i) => records[i]!);
}
