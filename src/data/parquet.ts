import { parquetMetadataAsync, parquetReadObjects, type AsyncBuffer } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { UserError } from "../diagnostics/user-error.ts";
import type { Row, SourcedRow } from "./row.ts";

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
      const read: Row[] = await parquetReadObjects({ file: source, metadata, compressors, rowStart, rowEnd });
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

/** Converts a value to one that JSON can hold, so that a record looks the same in every format. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}
