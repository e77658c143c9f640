import { parquetReadObjects } from "hyparquet";
import { UserError } from "../diagnostics/user-error.ts";
import type { Row, SourcedRow } from "./row.ts";

/** Parquet, uncompressed or Snappy (what datasets on the Hub use). 64-bit integers become numbers where exact. */
export async function readParquet(bytes: Uint8Array, file: string): Promise<SourcedRow[]> {
  const buffer = bytes.slice().buffer;
  let rows: Row[];
  try {
    rows = await parquetReadObjects({
      file: { byteLength: buffer.byteLength, slice: (start: number, end?: number) => buffer.slice(start, end) },
    });
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new UserError("data", `${file}: not a Parquet file this program can read (${reason})`, {
      cause,
      ...(reason.includes("compression") ? { hint: "Write it again with Snappy compression, or as JSON Lines." } : {}),
    });
  }
  return rows.map((fields, i) => ({ source: { file, record: i + 1 }, fields: plain(fields) as Row }));
}

/** Values JSON could hold, so that a record looks the same whatever format it came in. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}
