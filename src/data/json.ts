import { UserError } from "../diagnostics/user-error.ts";
import { isRow, typeName, type SourcedRow } from "./row.ts";

/** A record is held several times while it is read. */
const MOST_LINE_BYTES = 64 * 2 ** 20;
/** The longest string of V8. */
const MOST_TEXT_BYTES = 2 ** 29 - 25;

/** Decodes bytes to text without the byte order mark. `where` names the place in the error. */
export function decodeUtf8(bytes: Uint8Array, where: string): string {
  if (bytes.length > MOST_TEXT_BYTES) {
    throw new UserError(
      "data",
      `${where}: ${megabytes(bytes.length)}, expected at most ${megabytes(MOST_TEXT_BYTES)}`,
      {
        hint: "Save it as JSON Lines or Parquet, or as several files.",
      },
    );
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new UserError("data", `${where}: not UTF-8 text`, {
      cause,
      hint: "Save the file again with the encoding UTF-8.",
    });
  }
}

/**
 * Reads JSON Lines: one object per line. Blank lines count as lines, not as records. One line is decoded at a time, because
 * a file may be longer than the longest string.
 */
export function readJsonLines(bytes: Uint8Array, file: string): SourcedRow[] {
  const rows: SourcedRow[] = [];
  let line = 0;
  for (let start = 0; start < bytes.length;) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline === -1 ? bytes.length : newline;
    line++;
    const where = `${file} line ${line}`;
    if (end - start > MOST_LINE_BYTES) {
      throw new UserError(
        "data",
        `${where}: ${megabytes(end - start)}, expected at most ${megabytes(MOST_LINE_BYTES)}`,
        {
          hint: "Each line is one record: shorten or remove it.",
        },
      );
    }
    const text = decodeUtf8(bytes.subarray(start, end), where).trim();
    start = end + 1;
    if (text === "") continue;
    if (text === "[") {
      throw new UserError("data", `${where}: the beginning of a JSON array, expected one JSON object per line`, {
        hint: "Name the file .json or set `format: json`.",
      });
    }
    const fields = parseJson(text, where);
    if (!isRow(fields)) {
      const isArray = line === 1 && text.startsWith("[");
      const options = isArray ? { hint: "This looks like a JSON array: set `format: json`." } : {};
      throw new UserError("data", `${where}: ${typeName(fields)}, expected one JSON object per line`, options);
    }
    rows.push({ source: { file, line, record: rows.length + 1 }, fields });
  }
  return rows;
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MB`;
}

/** Reads JSON: an array of objects. */
export function readJson(bytes: Uint8Array, file: string): SourcedRow[] {
  const text = decodeUtf8(bytes, file);
  const value = looksLikeLines(text) ? undefined : parseJson(text, file);
  if (value === undefined) {
    throw new UserError("data", `${file}: a JSON value on each line, expected one JSON array`, {
      hint: "This looks like JSON Lines: name the file .jsonl or set `format: jsonl`.",
    });
  }
  if (isRow(value)) {
    const arrays = Object.keys(value).filter((key) => Array.isArray(value[key]));
    const shape = arrays.length > 1 ? "an object of columns" : "an object";
    throw new UserError(
      "data",
      `${file}: ${shape} (${Object.keys(value).slice(0, 8).join(", ")}), expected an array of records`,
      {
        hint:
          arrays.length === 1
            ? `Save the array under "${arrays[0]}" as the file.`
            : 'Write one object for each record: [{"instruction": …, "response": …}, …].',
      },
    );
  }
  if (!Array.isArray(value)) throw new UserError("data", `${file}: ${typeName(value)}, expected an array of records`);
  return value.map((fields: unknown, i) => {
    if (!isRow(fields)) throw new UserError("data", `${file} record ${i + 1}: ${typeName(fields)}, expected an object`);
    return { source: { file, record: i + 1 }, fields };
  });
}

/** True where the first line is an object by itself and more lines follow: JSON Lines with the wrong name. */
function looksLikeLines(text: string): boolean {
  const trimmed = text.trim();
  const end = trimmed.indexOf("\n");
  if (!trimmed.startsWith("{") || end === -1) return false;
  try {
    return isRow(JSON.parse(trimmed.slice(0, end)));
  } catch {
    return false;
  }
}

/** Parses a JSON value. @throws UserError("data") that names the place. */
export function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new UserError("data", `${where}: not valid JSON (${(cause as Error).message})`, {
      hint: "Correct or remove it.",
      cause,
    });
  }
}
