import type { FileReader } from "../data/file-reader.ts";
import { parseJson } from "../data/json.ts";
import { isRow, place, typeName, type SourcedRow } from "../data/row.ts";
import { loadRows, readUnpacked } from "../data/source.ts";
import { UserError } from "../diagnostics/user-error.ts";

/** The data of a benchmark: a local folder or file, or the Hub. */
export interface BenchmarkData {
  /** The folder or file that was given; undefined: the Hub. */
  readonly local: string | undefined;
  /** Lists the names of the folder's files, sorted, with those in its folders (`test/anatomy_test.csv`); for a file, its own name. */
  files(): Promise<readonly string[]>;
  /** Reads the rows of one of the `files`. */
  rows(name: string): Promise<readonly SourcedRow[]>;
  /** Reads the text of one of the `files`; not every benchmark is a table. */
  text(name: string, encoding?: "utf-8" | "latin1"): Promise<string>;
  /** Reads the rows of a dataset of the Hub, `hf:org/name?config=…&split=…`. */
  hub(ref: string): Promise<readonly SourcedRow[]>;
}

export function benchmarkData(reader: FileReader, local: string | undefined): BenchmarkData {
  let listed: Promise<ReadonlyMap<string, string>> | undefined;
  const list = async (): Promise<ReadonlyMap<string, string>> => {
    if (local === undefined) return new Map();
    if (reader.list === undefined) {
      throw new UserError("data", `${local}: local folders cannot be read on this platform`, {
        hint: "Take the data from the Hub.",
      });
    }
    return new Map((await reader.list(local)).map(({ name, path }) => [name, path]));
  };
  const paths = (): Promise<ReadonlyMap<string, string>> => (listed ??= list());
  const pathOf = async (name: string): Promise<string> => {
    const path = (await paths()).get(name);
    if (path === undefined) throw new UserError("data", `${local ?? "the Hub"}: no file ${name}`);
    return path;
  };
  return {
    local,
    files: async () => [...(await paths()).keys()],
    rows: async (name) => loadRows(reader, await pathOf(name)),
    text: async (name, encoding = "utf-8") => textOf(await readUnpacked(reader, await pathOf(name)), encoding),
    hub: (ref) => loadRows(reader, ref),
  };
}

function textOf(bytes: Uint8Array, encoding: "utf-8" | "latin1"): string {
  return new TextDecoder(encoding).decode(bytes);
}

/**
 * Finds the one file of a benchmark's folder that matches a pattern.
 *
 * @throws UserError("data") that lists the folder's contents.
 */
export async function oneFile(data: BenchmarkData, pattern: RegExp, called: string): Promise<string> {
  const all = await data.files();
  const found = all.filter((name) => pattern.test(name));
  if (found.length === 1) return found[0]!;
  if (found.length > 1) {
    throw new UserError("data", `${data.local}: several files could be ${called}: ${found.slice(0, 5).join(", ")}`, {
      hint: "Give the one file.",
    });
  }
  throw new UserError("data", `${data.local}: no ${called}`, { hint: contentsText(all) });
}

/** Lists the contents of a folder, for the hint where a file is missing. */
export function contentsText(files: readonly string[]): string {
  if (files.length === 0) return "It is empty.";
  return `It holds ${files.slice(0, 6).join(", ")}${files.length > 6 ? ", …" : ""}.`;
}

/** Finds `oneFile` by the first pattern that any file matches. */
export async function preferredFile(data: BenchmarkData, patterns: readonly RegExp[], called: string): Promise<string> {
  const all = await data.files();
  const pattern = patterns.find((each) => all.some((name) => each.test(name)));
  return oneFile(data, pattern ?? patterns[0]!, called);
}

/**
 * Reads a file that is a JSON object of records by name, in the file's order.
 *
 * @throws UserError("data") where it is not an object, or empty.
 */
export async function namedRecords(
  data: BenchmarkData,
  name: string,
): Promise<readonly (readonly [string, unknown])[]> {
  const text = await data.text(name);
  const value = parseJson(text, name);
  if (!isRow(value) || Object.keys(value).length === 0) {
    throw new UserError("data", `${name}: ${isRow(value) ? "empty" : typeName(value)}, expected an object of records`);
  }
  // JavaScript sorts names that are numbers, and splits are drawn from the file's order.
  const written = [...text.matchAll(/"((?:[^"\\]|\\.)*)"\s*:/g)].map((match) => match[1]!);
  const names = [...new Set([...written, ...Object.keys(value)])];
  const records = value;
  return names.flatMap((each) => (Object.hasOwn(records, each) ? [[each, records[each]] as const] : []));
}

/** Reads the text in a column of a row. @throws UserError("data") that lists the columns. */
export function textColumn({ fields, source }: SourcedRow, column: string): string {
  const value = fields[column];
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  throw missing({ fields, source }, column, "a text");
}

/** Reads the list of texts in a column of a row. */
export function listColumn({ fields, source }: SourcedRow, column: string): readonly string[] {
  const value = fields[column];
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw missing({ fields, source }, column, "a list of texts");
}

/** Reads the object in a column of a row. */
export function objectColumn({ fields, source }: SourcedRow, column: string): Readonly<Record<string, unknown>> {
  const value = fields[column];
  if (isRow(value)) return value;
  throw missing({ fields, source }, column, "an object");
}

function missing({ fields, source }: SourcedRow, column: string, expected: string): UserError {
  const there = Object.hasOwn(fields, column);
  return new UserError(
    "data",
    there
      ? `${place(source)}: "${column}" holds ${typeName(fields[column])}, expected ${expected}`
      : `${place(source)}: no column "${column}", expected ${expected} there`,
    { hint: `Its columns are ${Object.keys(fields).slice(0, 10).join(", ")}.` },
  );
}
