import { nearest } from "../diagnostics/nearest.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { parseMessages, type Message } from "./messages.ts";
import { place, typeName, valueAt, type Row, type RowSource, type SourcedRow } from "./row.ts";

/** What there is to learn in a record. No string in it is blank. */
export type Content =
  | { readonly kind: "instruction"; readonly instruction: string; readonly input?: string; readonly response: string }
  | { readonly kind: "completion"; readonly prompt: string; readonly completion: string }
  | { readonly kind: "messages"; readonly messages: readonly Message[] };

export interface DataRecord {
  /** `<file base name>#<1-based record number>`. */
  readonly id: string;
  readonly source: RowSource;
  readonly content: Content;
  /** The row as it was read, for partitioning by any of its columns. */
  readonly fields: Row;
}

/** Column names each part of a record is looked for under; the first that holds something is taken. */
export const ALIASES: Readonly<Record<FieldName, readonly string[]>> = {
  messages: ["messages", "conversations", "conversation"],
  instruction: ["instruction", "question", "problem"],
  input: ["input", "context"],
  prompt: ["prompt"],
  response: ["response", "output", "answer", "completion", "solution"],
  completion: ["completion", "response", "output", "answer"],
};

export type FieldName = "messages" | "instruction" | "input" | "prompt" | "response" | "completion";

/** Own column names (dotted paths reach into nested objects) for parts of a record: `{ instruction: "question" }`. */
export type FieldMap = Readonly<Partial<Record<FieldName, string>>>;

/** A row that is no record, and what a record would have had there. */
export interface RecordProblem {
  readonly source: RowSource;
  readonly problem: string;
}

export interface ParsedRows {
  readonly records: readonly DataRecord[];
  readonly problems: readonly RecordProblem[];
}

/**
 * Rows of one file as records. A mapping, or else the columns present, decides which kind of content a row holds.
 *
 * @throws UserError("data") where `fields` names a column that no row has.
 */
export function parseRows(rows: readonly SourcedRow[], fields: FieldMap = {}): ParsedRows {
  checkMapping(rows, fields);
  const records: DataRecord[] = [];
  const problems: RecordProblem[] = [];
  for (const { source, fields: row } of rows) {
    const content = parseContent(row, fields);
    if (typeof content === "string") problems.push({ source, problem: content });
    else records.push({ id: `${baseName(source.file)}#${source.record}`, source, content, fields: row });
  }
  return { records, problems };
}

/** One sentence for any number of bad records: the first, and how many more. */
export function recordError(problems: readonly RecordProblem[]): UserError {
  const [first, ...more] = problems;
  const others =
    more.length === 0 ? "" : ` (${more.length} more ${more.length === 1 ? "record" : "records"} cannot be used either)`;
  return new UserError("data", `${place(first!.source)}: ${first!.problem}${others}`, {
    hint: "Correct or remove these records, or say which columns hold what with `fields`.",
  });
}

function checkMapping(rows: readonly SourcedRow[], fields: FieldMap): void {
  for (const [name, path] of Object.entries(fields)) {
    if (!Object.hasOwn(ALIASES, name)) {
      const near = nearest(name, Object.keys(ALIASES));
      const message = `fields.${name} is not a part of a record (${Object.keys(ALIASES).join(", ")})`;
      throw new UserError("data", message, near === undefined ? {} : { hint: `Did you mean fields.${near}?` });
    }
    if (rows.length === 0 || rows.some((row) => valueAt(row.fields, path) !== undefined)) continue;
    const columns = [...new Set(rows.flatMap((row) => Object.keys(row.fields)))];
    const near = nearest(path, columns);
    throw new UserError(
      "data",
      `${rows[0]!.source.file} has no column "${path}" (fields.${name}); its columns are ${columns.join(", ")}`,
      {
        hint:
          near === undefined
            ? "Name one of its columns, or leave the mapping out."
            : `The nearest column is "${near}".`,
      },
    );
  }
}

/** The content of a row, or what is wrong with it. */
function parseContent(row: Row, fields: FieldMap): Content | string {
  const has = (name: FieldName): boolean => !isBlank(find(row, name, fields));
  const kind = kindOf(fields) ?? (["messages", "instruction", "prompt"] as const).find(has);
  if (kind === "messages") {
    const messages = parseMessages(find(row, "messages", fields));
    return typeof messages === "string" ? messages : { kind, messages };
  }
  if (kind === "prompt") {
    const prompt = text(row, "prompt", fields);
    if ("problem" in prompt) return prompt.problem;
    const completion = text(row, "completion", fields);
    if ("problem" in completion) return completion.problem;
    return { kind: "completion", prompt: prompt.text, completion: completion.text };
  }
  if (kind === "instruction") {
    const instruction = text(row, "instruction", fields);
    if ("problem" in instruction) return instruction.problem;
    const response = text(row, "response", fields);
    if ("problem" in response) return response.problem;
    const given = find(row, "input", fields);
    if (isBlank(given)) return { kind, instruction: instruction.text, response: response.text };
    if (typeof given !== "string") return `the input is ${typeName(given)}, expected a string`;
    return { kind, instruction: instruction.text, input: given, response: response.text };
  }
  const columns = Object.keys(row);
  return `no instruction, prompt or messages (columns: ${columns.length === 0 ? "none" : columns.join(", ")})`;
}

function kindOf(fields: FieldMap): "messages" | "prompt" | "instruction" | undefined {
  if (fields.messages !== undefined) return "messages";
  if (fields.prompt !== undefined || fields.completion !== undefined) return "prompt";
  return fields.instruction === undefined ? undefined : "instruction";
}

function namesOf(name: FieldName, fields: FieldMap): readonly string[] {
  const mapped = fields[name];
  return mapped === undefined ? ALIASES[name] : [mapped];
}

/** The first value that is not blank under any of the field's names, else a blank one that is there. */
function find(row: Row, name: FieldName, fields: FieldMap): unknown {
  const values = namesOf(name, fields).map((path) => valueAt(row, path));
  return values.find((value) => !isBlank(value)) ?? values.find((value) => value !== undefined);
}

function text(row: Row, name: FieldName, fields: FieldMap): { text: string } | { problem: string } {
  const value = find(row, name, fields);
  if (typeof value === "string" && !isBlank(value)) return { text: value };
  const expected = `expected text under ${namesOf(name, fields)
    .map((path) => `"${path}"`)
    .join(" or ")}`;
  if (value === undefined) return { problem: `no ${name}: ${expected}` };
  if (isBlank(value)) return { problem: `the ${name} is empty: ${expected}` };
  return { problem: `the ${name} is ${typeName(value)}: ${expected}` };
}

function isBlank(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === "string" && value.trim() === "");
}

function baseName(path: string): string {
  return path.split(/[/\\]/).at(-1)!;
}
