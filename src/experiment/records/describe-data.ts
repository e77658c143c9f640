import { describePartition } from "../../data/partition.ts";
import type { ExperimentConfig } from "../../settings/schema.ts";
import { loadClientRecords } from "./client-records.ts";
import type { Platform } from "../ports.ts";

export interface ClientDescription {
  readonly name: string;
  readonly records: number;
  readonly heldOut: number;
  /** Training records by the field's value; empty without a field. */
  readonly labels: Readonly<Record<string, number>>;
}

/** Columns that usually hold what kind of record a row is, tried in order. */
const LABEL_COLUMNS = ["category", "topic", "label", "type", "subject", "domain", "source"];

/** Sizes and label mix of every client, without opening the model. */
export async function describeData(
  config: ExperimentConfig,
  { files }: Pick<Platform, "files">,
  onNote?: (message: string) => void,
): Promise<{ clients: ClientDescription[]; field: string | undefined }> {
  const clients = await loadClientRecords(config, files, onNote);
  const all = clients.flatMap(({ train }) => train);
  const labelled = (column: string): boolean =>
    all.every(({ fields }) => ["string", "number", "boolean"].includes(typeof fields[column]) && fields[column] !== "");
  const field = config.data.partition.field ?? LABEL_COLUMNS.find(labelled);
  let start = 0;
  const shards = clients.map(({ name, train }) => ({ client: name, records: Int32Array.from(train, () => start++) }));
  const { labels, clients: counted } = describePartition(shards, all, field);
  return {
    field,
    clients: counted.map(({ client, records, counts }, i) => ({
      name: client,
      records,
      heldOut: clients[i]!.heldOut.length,
      labels: Object.fromEntries(labels.map((label, j) => [label, counts[j]!])),
    })),
  };
}
