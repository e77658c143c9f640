import { nearest } from "../diagnostics/nearest.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { readDelimited } from "./csv.ts";
import type { FileReader } from "./file-reader.ts";
import { readJson, readJsonLines } from "./json.ts";
import { readParquet } from "./parquet.ts";
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
  Record<FormatName, (bytes: Uint8Array, file: string) => SourcedRow[] | Promise<SourcedRow[]>>
> = {
  jsonl: readJsonLines,
  json: readJson,
  csv: (bytes, file) => readDelimited(bytes, file, ","),
  tsv: (bytes, file) => readDelimited(bytes, file, "\t"),
  parquet: readParquet,
};

export type FormatName = "jsonl" | "json" | "csv" | "tsv" | "parquet";

export interface SourceOptions {
  /** Default: by extension. `.gz` after it is unpacked either way. */
  readonly format?: FormatName | undefined;
  readonly fields?: FieldMap | undefined;
  /** What the job learns from (default `answers`): the same row may hold an answer and a preference. */
  readonly learnFrom?: LearnFrom | undefined;
  /** What to do with a row that is no record (default `refuse`: an error that counts them all). */
  readonly invalid?: "refuse" | "skip" | undefined;
}

export interface LoadedRecords {
  readonly records: readonly DataRecord[];
  /** Rows left out, with `invalid: "skip"`. */
  readonly skipped: readonly RecordProblem[];
}

/**
 * The records of one file, in its order.
 *
 * @throws UserError("data") for a file that cannot be read or parsed, a bad record, or no record at all.
 */
export async function loadRecords(
  reader: FileReader,
  path: string,
  options: SourceOptions = {},
): Promise<LoadedRecords> {
  const format = options.format ?? formatOf(path);
  const stored = await reader.read(path);
  // By content too: a browser unpacks some downloads on its own, and names lie.
  const packed = stored[0] === 0x1f && stored[1] === 0x8b;
  const rows = await FORMATS[format](packed ? await gunzip(stored, path) : stored, path);
  const { records, problems } = parseRows(rows, options.fields, options.learnFrom);
  if (problems.length > 0 && (options.invalid !== "skip" || records.length === 0)) throw recordError(problems);
  if (records.length === 0)
    throw new UserError("data", `${path}: no records`, { hint: "Put records in it, or leave it out." });
  return { records, skipped: problems };
}

function formatOf(path: string): FormatName {
  const extension = path.replace(/\.gz$/i, "").split(".").at(-1)!.toLowerCase();
  if (extension === "ndjson") return "jsonl";
  if (Object.hasOwn(FORMATS, extension)) return extension as FormatName;
  const near = nearest(extension, Object.keys(FORMATS));
  throw new UserError("data", `${path}: unknown data format, expected one of ${Object.keys(FORMATS).join(", ")}`, {
    hint: near === undefined ? "Say which it is with `format`." : `If it is ${near}, set \`format: ${near}\`.`,
  });
}

async function gunzip(bytes: Uint8Array, path: string): Promise<Uint8Array> {
  try {
    const stream = new Blob([bytes.slice()]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch (cause) {
    throw new UserError("data", `${path}: damaged gzip data (${(cause as Error).message})`, { cause });
  }
}
