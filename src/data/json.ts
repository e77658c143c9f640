import { UserError } from "../diagnostics/user-error.ts";
import { isRow, typeName, type SourcedRow } from "./row.ts";
import { asUtf8, decodeUtf8, megabytes } from "./text.ts";

/** A record is held several times while it is read. */
const MOST_LINE_BYTES = 64 * 2 ** 20;

/**
 * Reads JSON Lines: one object a line. Blank lines count as lines, not as records. One line is decoded at a time, because
 * a file may be longer than the longest string. A file that begins with `[` is read as an array.
 */
export function readJsonLines(bytes: Uint8Array, file: string): SourcedRow[] {
  const utf8 = asUtf8(bytes, file);
  return firstCharacter(utf8) === "[" ? readArray(utf8, file) : readLines(utf8, file);
}

/** Reads JSON: an array of objects. A file with an object on its first line is read as JSON Lines. */
export function readJson(bytes: Uint8Array, file: string): SourcedRow[] {
  const utf8 = asUtf8(bytes, file);
  if (firstCharacter(utf8) === "[") return readArray(utf8, file);
  const start = decodeUtf8(utf8.subarray(0, lineBreak(utf8)(0)), file).trim();
  const first = tryJson(start);
  if (!isRow(first)) throw wrongShape(parseJson(decodeUtf8(utf8, file), file), file);
  const rows = readLines(utf8, file);
  if (rows.length === 1 && !mayBeRecord(first)) throw wrongShape(first, file);
  return rows;
}

function readLines(bytes: Uint8Array, file: string): SourcedRow[] {
  const rows: SourcedRow[] = [];
  const endOfLine = lineBreak(bytes);
  let line = 0;
  for (let start = 0; start < bytes.length;) {
    const end = endOfLine(start);
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
    start = end + (bytes[end] === CR && bytes[end + 1] === LF ? 2 : 1);
    if (text === "") continue;
    const fields = parseJson(text, where);
    if (!isRow(fields)) throw new UserError("data", `${where}: ${typeName(fields)}, expected one JSON object per line`);
    rows.push({ source: { file, line, record: rows.length + 1 }, fields });
  }
  return rows;
}

function readArray(bytes: Uint8Array, file: string): SourcedRow[] {
  const value = parseJson(decodeUtf8(bytes, file), file) as unknown[];
  return value.map((fields, i) => {
    if (!isRow(fields)) throw new UserError("data", `${file} record ${i + 1}: ${typeName(fields)}, expected an object`);
    return { source: { file, record: i + 1 }, fields };
  });
}

const LF = 0x0a;
const CR = 0x0d;

/** Finds the end of the line that begins at a byte. JSON has no raw CR inside a string, so CR alone ends a line too. */
function lineBreak(bytes: Uint8Array): (start: number) => number {
  // Each break is looked for once: a file without CR would be searched to its end for each line.
  const next = { [LF]: -1, [CR]: -1 };
  const from = (byte: typeof LF | typeof CR, start: number): number => {
    if (next[byte] < start) {
      const found = bytes.indexOf(byte, start);
      next[byte] = found === -1 ? bytes.length : found;
    }
    return next[byte];
  };
  return (start) => Math.min(from(LF, start), from(CR, start));
}

function firstCharacter(bytes: Uint8Array): string {
  const mark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  const at = bytes.findIndex((byte, i) => i >= mark && byte !== 0x20 && byte !== 0x09 && byte !== LF && byte !== CR);
  return String.fromCharCode(bytes[at] ?? 0);
}

/** False for an object that holds records, or columns, and is none itself: only turns are lists of objects in a record. */
function mayBeRecord(value: Readonly<Record<string, unknown>>): boolean {
  const isTurn = (item: unknown): boolean => isRow(item) && ("role" in item || "from" in item);
  const values = Object.values(value);
  return values.every((item) => (Array.isArray(item) ? item.length > 0 && item.every(isTurn) : !isRow(item)));
}

function wrongShape(value: unknown, file: string): UserError {
  if (!isRow(value)) return new UserError("data", `${file}: ${typeName(value)}, expected an array of records`);
  const keys = Object.keys(value);
  const arrays = keys.filter((key) => Array.isArray(value[key]));
  const columns = arrays.length > 1 || (keys.length > 0 && keys.every((key) => isRow(value[key])));
  return new UserError(
    "data",
    `${file}: ${columns ? "an object of columns" : "an object"} (${keys.slice(0, 8).join(", ")}), expected an array of records`,
    {
      hint:
        arrays.length === 1
          ? `Save the array under "${arrays[0]}" as the file.`
          : 'Write one object for each record: [{"instruction": …, "response": …}, …]. In pandas: to_json(file, orient="records").',
    },
  );
}

function tryJson(text: string): unknown {
  try {
    return parseJson(text, "");
  } catch {
    return undefined;
  }
}

/**
 * Parses a JSON value, also as Python writes it: NaN (which becomes null), Infinity and -Infinity.
 *
 * @throws UserError("data") that names the place.
 */
export function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    const strict = withoutPythonNumbers(text);
    if (strict !== text) return parseJson(strict, where);
    throw new UserError("data", `${where}: not valid JSON (${(cause as Error).message})`, {
      hint: "Correct or remove it.",
      cause,
    });
  }
}

/** Writes Python's NaN as null and its infinities as numbers that overflow; what stands in strings stays. */
function withoutPythonNumbers(text: string): string {
  if (!/NaN|Infinity/.test(text)) return text;
  const parts: string[] = [];
  for (let at = 0; at < text.length;) {
    const open = text.indexOf('"', at);
    const end = open === -1 ? text.length : open;
    parts.push(
      text
        .slice(at, end)
        .replace(/\bNaN\b/g, "null")
        .replace(/\bInfinity\b/g, "1e999"),
    );
    if (open === -1) break;
    const close = closingQuote(text, open);
    parts.push(text.slice(open, close + 1));
    at = close + 1;
  }
  return parts.join("");
}

function closingQuote(text: string, open: number): number {
  for (let at = open + 1; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === '"') return at;
  }
  return text.length;
}
