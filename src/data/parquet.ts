import {
  type AsyncBuffer,
  type Compressors,
  type FileMetaData,
  parquetMetadataAsync,
  parquetRead,
  parquetReadObjects,
  parquetSchema,
  type RowGroup,
  type SchemaTree,
  type SubColumnData,
} from "hyparquet";
import { compressors as unbounded } from "hyparquet-compressors";
import { UserError } from "../diagnostics/user-error.ts";
import type { Row, SourcedRow } from "./row.ts";

/** A page is about 1 MB; its header says how much memory to take for it. */
const MOST_PAGE_BYTES = 256 * 2 ** 20;
/** More rows than that in a byte of a group are counted before they are made: a footer can say any number. */
const ROWS_PER_BYTE = 8;

const compressors: Compressors = Object.fromEntries(
  Object.entries(unbounded).map(([codec, unpack]) => [
    codec,
    (input: Uint8Array, outputLength: number) => {
      if (outputLength >= 0 && outputLength <= MOST_PAGE_BYTES) return unpack(input, outputLength);
      throw new Error(`a page has ${outputLength} bytes unpacked, expected at most ${MOST_PAGE_BYTES}`);
    },
  ]),
);

/** Reads Parquet in memory, with any usual compression but LZO. 64-bit integers become numbers where exact. */
export async function readParquet(bytes: Uint8Array, file: string): Promise<SourcedRow[]> {
  const buffer = bytes.slice().buffer;
  return readOpenParquet(
    { byteLength: buffer.byteLength, slice: (start: number, end?: number) => buffer.slice(start, end) },
    file,
  );
}

/** Reads a Parquet file that need not fit into memory: one group of rows at a time. */
export async function readOpenParquet(source: AsyncBuffer, file: string): Promise<SourcedRow[]> {
  const rows: SourcedRow[] = [];
  try {
    const metadata = await parquetMetadataAsync(source);
    for (const group of metadata.row_groups) {
      const rowStart = rows.length;
      const rowEnd = rowStart + Number(group.num_rows);
      checkCounts(group, metadata);
      const count = new ColumnCounts(group, source.byteLength);
      const range = { file: source, metadata, compressors, rowStart, rowEnd, onPage: count.onPage };
      if (count.isSuspicious) {
        await parquetRead(range);
        count.check();
        count.clear();
      }
      const read: Row[] = await parquetReadObjects(range);
      count.check();
      for (const fields of read) {
        rows.push({ source: { file, record: rows.length + 1 }, fields: plain(fields) as Row });
      }
    }
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    const reason = (cause as Error).message;
    throw new UserError("data", `${file}: not a Parquet file that this program can read (${reason})`, {
      cause,
      ...(reason.includes("compression") ? { hint: "Write it again with Snappy compression, or as JSON Lines." } : {}),
    });
  }
  return rows;
}

/** Checks the rows of a group against the values of its columns, as the footer says them. */
function checkCounts({ num_rows: rows, columns }: RowGroup, metadata: FileMetaData): void {
  if (rows < 0n) throw new Error(`a group of rows has ${rows} rows`);
  for (const { meta_data: column } of columns) {
    if (column === undefined) continue;
    const values = column.num_values;
    const repeated = isRepeated(parquetSchema(metadata), column.path_in_schema);
    // An empty list counts as one value.
    if (repeated ? values >= rows : values === rows) continue;
    throw new Error(
      `a group of rows has ${rows} rows, but its column ${column.path_in_schema.join(".")} ${values} values`,
    );
  }
}

function isRepeated(root: SchemaTree, path: readonly string[]): boolean {
  let at: SchemaTree | undefined = root;
  return path.some((name) => {
    at = at?.children.find(({ element }) => element.name === name);
    return at?.element.repetition_type === "REPEATED";
  });
}

/** Counts what is read of the columns of a group. */
class ColumnCounts {
  readonly #rows: number;
  readonly isSuspicious: boolean;
  readonly #read = new Map<string, number>();

  constructor({ num_rows: rows, columns }: RowGroup, fileBytes: number) {
    this.#rows = Number(rows);
    const bytes = columns.reduce((sum, { meta_data: column }) => sum + Number(column?.total_compressed_size ?? 0), 0);
    this.isSuspicious = this.#rows > ROWS_PER_BYTE * Math.min(bytes, fileBytes);
  }

  readonly onPage = ({ pathInSchema, columnData }: SubColumnData): void => {
    const name = pathInSchema.join(".");
    this.#read.set(name, (this.#read.get(name) ?? 0) + columnData.length);
  };

  check(): void {
    for (const [name, read] of this.#read) {
      if (read === this.#rows) continue;
      throw new Error(`a group of rows has ${this.#rows} rows, but its column ${name} holds ${read}`);
    }
  }

  clear(): void {
    this.#read.clear();
  }
}

/** Converts a value to one that JSON can hold, so that a record looks the same in every format. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}
