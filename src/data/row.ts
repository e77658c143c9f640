/** One row of a data file as it was read: column name to value. */
export type Row = Readonly<Record<string, unknown>>;

/** The place of a row in its file. `line` (1-based, of its first character) is known for line-based formats. */
export interface RowSource {
  readonly file: string;
  readonly line?: number;
  /** 1-based, counting rows only: neither blank lines nor a header. */
  readonly record: number;
}

export interface SourcedRow {
  readonly source: RowSource;
  readonly fields: Row;
}

/** Names a place in messages: `clients/bank.jsonl line 17`, `clients/bank.json record 17`. */
export function place({ file, line, record }: RowSource): string {
  return line === undefined ? `${file} record ${record}` : `${file} line ${line}`;
}

export function isRow(value: unknown): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Reads a column, or a dotted path into nested objects (`meta.domain`); undefined where there is no value. */
export function valueAt(fields: Row, path: string): unknown {
  if (Object.hasOwn(fields, path)) return fields[path];
  let value: unknown = fields;
  for (const key of path.split(".")) {
    if (!isRow(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}

/** Names the type of a value in plain words, with its article. */
export function typeName(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
