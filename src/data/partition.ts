import { excerpt } from "../diagnostics/excerpt.ts";
import { nearest } from "../diagnostics/nearest.ts";
import { UserError } from "../diagnostics/user-error.ts";
import type { RandomStream } from "../tensor/random.ts";
import { cut, logDirichlet, proportions } from "./dirichlet.ts";
import type { DataRecord } from "./record.ts";
import { place, typeName, valueAt } from "./row.ts";

/** The parts of a record that partitioning reads. */
export type Partitionable = Pick<DataRecord, "id" | "source" | "fields">;

export interface PartitionOptions {
  /** Number of clients. `field` does not need it; its default is one client for each value. */
  readonly clients?: number | undefined;
  /** Column (or dotted path) that holds the labels, for `dirichlet` and `field`. */
  readonly field?: string | undefined;
  /** Concentration for `dirichlet` and `quantity`: clients differ more where it is smaller. */
  readonly alpha?: number | undefined;
  /** Smallest number of records of a client (default 1). */
  readonly minRecords?: number | undefined;
  /** Number of draws after which `minRecords` is given up (default 1000). */
  readonly maxTries?: number | undefined;
}

export interface Shard {
  readonly client: string;
  /** Indices into the records, ascending. */
  readonly records: Int32Array;
}

export type PartitionStreams = (
  ...key: (string | number)[]
) => Pick<RandomStream, "permutation" | "uniform" | "normal">;

/**
 * Gives every record to exactly one client. A pure function of its arguments.
 *
 * @throws UserError("config") for impossible options, UserError("data") where a client has too few records.
 */
export type Partitioner = (
  records: readonly Partitionable[],
  options: PartitionOptions,
  random: PartitionStreams,
) => Shard[];

export type PartitionName = "iid" | "dirichlet" | "field" | "quantity";

/** Shuffles the records and gives them to the clients in turn: sizes differ by one at most. */
const iid: Partitioner = (records, options, random) => {
  const clients = clientCount(options);
  requireEnough(records.length, options);
  const order = random("partition", "iid").permutation(records.length);
  const groups: number[][] = Array.from({ length: clients }, () => []);
  order.forEach((index, i) => groups[i % clients]!.push(index));
  return requireRecords(named(groups), options, "iid", "Ask for fewer clients or add records.");
};

/**
 * Label skew (Hsu, Qi & Brown 2019, "Measuring the effects of non-identical data distribution"): each label's records are
 * cut among the clients in proportions from Dirichlet(α). As in FedML, a client that has its even share already gets no
 * more of the labels that follow, and the whole is drawn again until every client has `minRecords`.
 */
const dirichlet: Partitioner = (records, options, random) => {
  const clients = clientCount(options);
  const alpha = concentration(options, "dirichlet");
  const byLabel = [...groupByLabel(records, labelField(options, "dirichlet")).values()];
  return drawn(records.length, options, "dirichlet", (attempt) => {
    const draws = random("partition", "dirichlet", attempt);
    const groups: number[][] = Array.from({ length: clients }, () => []);
    for (const members of byLabel) {
      const shuffled = Array.from(draws.permutation(members.length), (i) => members[i]!);
      const logs = logDirichlet(clients, alpha, draws);
      const open = logs.map((log, client) => (groups[client]!.length < records.length / clients ? log : -Infinity));
      cut(shuffled, proportions(open)).forEach((run, client) => append(groups[client]!, run));
    }
    return groups;
  });
};

/**
 * Natural partition: one client for each value of the field. With fewer clients than values, the values go to the clients
 * from the largest on, each to the client that has the fewest records.
 */
const field: Partitioner = (records, options) => {
  const path = labelField(options, "field");
  const byLabel = groupByLabel(records, path);
  const clients = options.clients ?? byLabel.size;
  const hint = `Ask for at most ${byLabel.size} clients, or use the partitioner dirichlet.`;
  if (clients > byLabel.size) {
    throw new UserError("data", `${clients} clients need ${clients} values of "${path}", got ${byLabel.size}`, {
      hint,
    });
  }
  if (clients === byLabel.size) {
    const shards = [...byLabel].map(([client, members]) => ({ client, records: Int32Array.from(members) }));
    return requireRecords(shards, options, "field", "Lower minRecords or ask for fewer clients.");
  }
  const groups: number[][] = Array.from({ length: clientCount({ clients }) }, () => []);
  for (const members of [...byLabel.values()].sort((a, b) => b.length - a.length)) {
    const least = groups.reduce((a, b) => (b.length < a.length ? b : a));
    append(least, members);
  }
  return requireRecords(named(groups), options, "field", "Lower minRecords or ask for fewer clients.");
};

/** Quantity skew: the clients' sizes are in proportions from Dirichlet(α); each client's records are a random sample. */
const quantity: Partitioner = (records, options, random) => {
  const clients = clientCount(options);
  const alpha = concentration(options, "quantity");
  return drawn(records.length, options, "quantity", (attempt) => {
    const draws = random("partition", "quantity", attempt);
    const order = Array.from(draws.permutation(records.length));
    return cut(order, proportions(logDirichlet(clients, alpha, draws)));
  });
};

/** Partitioners by their legal names. */
export const PARTITIONERS: Readonly<Record<PartitionName, Partitioner>> = { iid, dirichlet, field, quantity };

export interface PartitionDescription {
  /** Values of the field, sorted; empty without one. */
  readonly labels: readonly string[];
  /** `counts[i]`: the client's records of `labels[i]`. */
  readonly clients: readonly {
    readonly client: string;
    readonly records: number;
    readonly counts: readonly number[];
  }[];
}

/** Counts the records of each client by label. */
export function describePartition(
  shards: readonly Shard[],
  records: readonly Partitionable[],
  path?: string,
): PartitionDescription {
  const byLabel = path === undefined ? new Map<string, number[]>() : groupByLabel(records, path);
  const labels = [...byLabel.keys()];
  const labelOf = new Map(
    [...byLabel.values()].flatMap((members, label) => members.map((index) => [index, label] as const)),
  );
  const clients = shards.map(({ client, records: indices }) => {
    const counts = labels.map(() => 0);
    if (path !== undefined) for (const index of indices) counts[labelOf.get(index)!]!++;
    return { client, records: indices.length, counts };
  });
  return { labels, clients };
}

/** Indices by label, labels sorted by code point. */
function groupByLabel(records: readonly Partitionable[], path: string): Map<string, number[]> {
  const groups = new Map<string, number[]>();
  const missing: Partitionable[] = [];
  for (const [index, record] of records.entries()) {
    const value = valueAt(record.fields, path);
    if ((typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") || value === "") {
      missing.push(record);
      continue;
    }
    const label = String(value);
    const group = groups.get(label);
    if (group === undefined) groups.set(label, [index]);
    else group.push(index);
  }
  if (missing.length > 0) {
    const { source, fields } = missing[0]!;
    const near = valueAt(fields, path) === undefined ? nearest(path, Object.keys(fields)) : undefined;
    const others = missing.length === 1 ? "" : ` (and ${missing.length - 1} more)`;
    const got = valueAt(fields, path) === "" ? "an empty string" : typeName(valueAt(fields, path));
    throw new UserError("data", `${place(source)}: ${got} under "${path}", expected a label to partition by${others}`, {
      hint:
        near === undefined
          ? `Its columns are ${excerpt(Object.keys(fields).join(", "), 400)}.`
          : `Did you mean "${near}"?`,
    });
  }
  return new Map([...groups].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Draws until every client has `minRecords`. */
function drawn(
  records: number,
  options: PartitionOptions,
  name: PartitionName,
  draw: (attempt: number) => number[][],
): Shard[] {
  const { minRecords = 1, maxTries = 1000 } = options;
  requireEnough(records, options);
  for (let attempt = 0; ; attempt++) {
    const shards = named(draw(attempt));
    const enough = shards.every(({ records }) => records.length >= minRecords);
    if (!enough && attempt + 1 < maxTries) continue;
    const how = `${name} (alpha ${options.alpha}, ${maxTries} draws)`;
    return requireRecords(shards, options, how, "Raise alpha, ask for fewer clients, or lower minRecords.");
  }
}

function requireEnough(records: number, options: PartitionOptions): void {
  const { minRecords = 1 } = options;
  if (records >= clientCount(options) * minRecords) return;
  const what = `${records} records cannot give ${options.clients} clients at least ${minRecords} each`;
  throw new UserError("data", what, { hint: "Ask for fewer clients or add records." });
}

function requireRecords(shards: Shard[], { minRecords = 1 }: PartitionOptions, how: string, hint: string): Shard[] {
  const least = shards.reduce((a, b) => (b.records.length < a.records.length ? b : a));
  if (least.records.length >= minRecords) return shards;
  const left = least.records.length === 0 ? "no data" : `${least.records.length} records`;
  throw new UserError(
    "data",
    `the partition ${how} leaves client ${least.client} with ${left}, expected at least ${minRecords}`,
    { hint },
  );
}

/** Appends any number of items; `push(...items)` has a limit. */
function append(group: number[], items: readonly number[]): void {
  for (const item of items) group.push(item);
}

/** Names the clients by number from 1, padded so that names sort as numbers. */
function named(groups: readonly (readonly number[])[]): Shard[] {
  const width = String(groups.length).length;
  return groups.map((group, i) => ({
    client: `client-${String(i + 1).padStart(width, "0")}`,
    records: Int32Array.from(group).sort(),
  }));
}

function clientCount({ clients }: PartitionOptions): number {
  if (clients !== undefined && Number.isInteger(clients) && clients > 0) return clients;
  throw new UserError("config", `a partition needs a number of clients, got ${clients ?? "none"}`);
}

function concentration({ alpha }: PartitionOptions, name: PartitionName): number {
  if (alpha !== undefined && alpha > 0) return alpha;
  throw new UserError("config", `the partition ${name} needs alpha, a number above 0, got ${alpha ?? "none"}`);
}

function labelField({ field: path }: PartitionOptions, name: PartitionName): string {
  if (path !== undefined && path !== "") return path;
  throw new UserError("config", `the partition ${name} needs a field: the column that holds each record's label`);
}
