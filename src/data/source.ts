import { nearest } from "../diagnostics/nearest.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { readDelimited, type TableOptions } from "./csv.ts";
import { type DatasetInfo, infoSource, type PreparedRows } from "./dataset-info.ts";
import { datasetHint, parseDatasetRef } from "./dataset-ref.ts";
import { datasetRows } from "./dataset-rows.ts";
import type { FileReader } from "./file-reader.ts";
import { readJson, readJsonLines } from "./json.ts";
import { readOpenParquet, readParquet } from "./parquet.ts";
import {
  parseRows,
  recordError,
  type DataRecord,
  type FieldMap,
  type LearnFrom,
  type RecordProblem,
} from "./record.ts";
import type { SourcedRow } from "./row.ts";

/** File formats by their legal names, which are also their extensions. */
export const FORMATS: Readonly<
  Record<FormatName, (bytes: Uint8Array, file: string, table: TableOptions) => SourcedRow[] | Promise<SourcedRow[]>>
> = {
  jsonl: readJsonLines,
  json: readJson,
  csv: (bytes, file, table) => readDelimited(bytes, file, ",", table),
  tsv: (bytes, file, table) => readDelimited(bytes, file, "\t", table),
  parquet: readParquet,
};

export type FormatName = "jsonl" | "json" | "csv" | "tsv" | "parquet";

/** How the bytes of a file are read. */
export interface FormatOptions extends TableOptions {
  /** Default: by extension. `.gz` after it is unpacked either way. */
  readonly format?: FormatName | undefined;
}

export interface SourceOptions extends FormatOptions {
  /** For a dataset given by its bare name, these replace its own, part by part. */
  readonly fields?: FieldMap | undefined;
  /** The part of a record that the job learns from (default `answers`): one row may hold an answer and a preference. */
  readonly learnFrom?: LearnFrom | undefined;
  /**
   * `refuse`: rows that are not records are an error, which counts them (default for a file). `skip`: they are left out
   * (default for a dataset of the Hub, which the user cannot correct).
   */
  readonly invalid?: "refuse" | "skip" | undefined;
  /** A change of the rows before they are parsed, and their columns; those of `fields` come first. */
  readonly prepare?: ((rows: readonly SourcedRow[]) => PreparedRows) | undefined;
}

export interface LoadedRecords {
  readonly records: readonly DataRecord[];
  /** Rows left out, with `invalid: "skip"`. */
  readonly skipped: readonly RecordProblem[];
  /** Columns that no record was made from, with the number of records that have something there. */
  readonly unused: ReadonlyMap<string, number>;
}

/**
 * Loads the records of one file or one dataset of the Hub (`parseDatasetRef`), in its order.
 *
 * @throws UserError("data") for a file that cannot be read or parsed, a bad record, or no record at all.
 */
export async function loadRecords(
  reader: FileReader,
  path: string,
  options: SourceOptions = {},
): Promise<LoadedRecords> {
  const ref = parseDatasetRef(path);
  const read = await loadRows(reader, path, options);
  const { rows, fields } = options.prepare?.(read) ?? { rows: read, fields: ref?.named?.fields };
  const { records, problems, unused } = parseRows(rows, { ...fields, ...options.fields }, options.learnFrom);
  const skip = (options.invalid ?? (ref === undefined ? "refuse" : "skip")) === "skip";
  if (problems.length > 0 && (!skip || records.length === 0)) throw recordError(problems);
  if (records.length === 0)
    throw new UserError("data", `${path}: no records`, {
      hint: "Add records to it, or remove it from the configuration.",
    });
  if (ref === undefined) return { records, skipped: problems, unused };
  return {
    records: records.map((record) => ({ ...record, id: `${ref.label}#${record.source.record}` })),
    skipped: problems,
    unused,
  };
}

/**
 * Loads the records that a name stands for: a dataset of `info`, or else one file or one dataset of the Hub.
 *
 * @param draw takes so many records where the dataset says how many.
 * @throws UserError("data") as `loadRecords`, for a name that `info` lacks, and for fewer records than it wants.
 */
export async function loadNamed(
  reader: FileReader,
  name: string,
  {
    info,
    draw,
    ...options
  }: SourceOptions & {
    readonly info: DatasetInfo | undefined;
    readonly draw: (records: readonly DataRecord[], count: number) => readonly DataRecord[];
  },
): Promise<LoadedRecords> {
  const source = info === undefined ? undefined : await infoSource(reader, info, name);
  if (source === undefined) return loadRecords(reader, name, options);
  const { paths, samples, prepare } = source;
  const loaded = await Promise.all(paths.map((path) => loadRecords(reader, path, { ...options, prepare })));
  const records = loaded.flatMap((each) => each.records);
  const unused = new Map<string, number>();
  for (const [column, rows] of loaded.flatMap((each) => [...each.unused])) {
    unused.set(column, (unused.get(column) ?? 0) + rows);
  }
  const skipped = loaded.flatMap((each) => each.skipped);
  if (samples === undefined) return { records, skipped, unused };
  if (samples > records.length) {
    throw new UserError(
      "data",
      `${info!.file}: the dataset "${name}" has num_samples ${samples}, but ${records.length} records`,
      {
        hint: "Records are not repeated to fill it up: lower num_samples, or leave it out.",
      },
    );
  }
  return { records: draw(records, samples), skipped, unused };
}

/** Loads the rows of one file or one dataset of the Hub, with any content. */
export async function loadRows(reader: FileReader, path: string, options: FormatOptions = {}): Promise<SourcedRow[]> {
  const ref = parseDatasetRef(path);
  return ref === undefined
    ? readRows(reader, path, path, options)
    : datasetRows(reader, ref, (file, name) => readRows(reader, file, name, { delimiter: options.delimiter }));
}

/** Reads the rows of one file, which messages call `name`. */
async function readRows(
  reader: FileReader,
  path: string,
  name: string,
  { format = formatOf(path), ...table }: FormatOptions = {},
): Promise<SourcedRow[]> {
  if (format === "parquet" && reader.open !== undefined && !/\.gz$/i.test(path)) {
    const file = await reader.open(path);
    try {
      return await readOpenParquet(file, name);
    } finally {
      await file.close();
    }
  }
  return FORMATS[format](await readUnpacked(reader, path, name), name, table);
}

/** Reads a file's bytes and unpacks gzip. */
export async function readUnpacked(reader: FileReader, path: string, name: string = path): Promise<Uint8Array> {
  const stored = await reader.read(path);
  // By content, not by name: a browser unpacks some downloads by itself.
  const packed = stored[0] === 0x1f && stored[1] === 0x8b;
  return packed ? gunzip(stored, name) : stored;
}

/** So many bytes may come of any file. */
const UNPACKED_BYTES = 256 * 2 ** 20;
/** Text becomes three to ten times as long. */
const UNPACKED_RATIO = 100;

class UnpackedTooLong extends Error {}

function formatOf(path: string): FormatName {
  const extension = path.replace(/\.gz$/i, "").split(".").at(-1)!.toLowerCase();
  if (extension === "ndjson") return "jsonl";
  if (Object.hasOwn(FORMATS, extension)) return extension as FormatName;
  const near = nearest(extension, Object.keys(FORMATS));
  const dataset = near === undefined ? datasetHint(path) : undefined;
  const what = dataset === undefined ? "unknown data format" : "unknown dataset or data format";
  throw new UserError("data", `${path}: ${what}, expected one of ${Object.keys(FORMATS).join(", ")}`, {
    hint:
      dataset ?? (near === undefined ? "Name its format with `format`." : `If it is ${near}, set \`format: ${near}\`.`),
  });
}

async function gunzip(bytes: Uint8Array, path: string): Promise<Uint8Array> {
  try {
    let unpacked = 0;
    const count = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, out) {
        unpacked += chunk.length;
        if (unpacked > Math.max(UNPACKED_BYTES, UNPACKED_RATIO * bytes.length)) throw new UnpackedTooLong();
        out.enqueue(chunk);
      },
    });
    const stream = new Blob([bytes.slice()]).stream().pipeThrough(new DecompressionStream("gzip")).pipeThrough(count);
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch (cause) {
    if (cause instanceof UnpackedTooLong) {
      const most = `${UNPACKED_RATIO} times its size`;
      throw new UserError("data", `${path}: gzip data that becomes more than ${most}, which no text does`, { cause });
    }
    throw new UserError("data", `${path}: damaged gzip data (${(cause as Error).message})`, { cause });
  }
}
