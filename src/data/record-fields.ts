import { excerpt } from "../diagnostics/excerpt.ts";
import { typeName, valueAt, type Row } from "./row.ts";

export type FieldName =
  | "messages"
  | "instruction"
  | "input"
  | "prompt"
  | "response"
  | "completion"
  | "chosen"
  | "rejected"
  | "label";

/** The column names of each part of a record; the first column that holds something is taken. */
export const ALIASES: Readonly<Record<FieldName, readonly string[]>> = {
  messages: ["messages", "conversations", "conversation"],
  instruction: ["instruction", "question", "problem"],
  input: ["input", "context"],
  prompt: ["prompt"],
  response: ["response", "output", "answer", "completion", "solution"],
  completion: ["completion", "response", "output", "answer"],
  chosen: ["chosen", "chosen_response"],
  rejected: ["rejected", "rejected_response"],
  label: ["label", "kto_tag"],
};

/** Other column names for parts of a record: `{ instruction: "question" }`. Dotted paths reach into nested objects. */
export type FieldMap = Readonly<Partial<Record<FieldName, string>>>;

/** Finds the first value that is not blank under the field's names, else a blank one. */
export function find(row: Row, name: FieldName, fields: FieldMap): unknown {
  const values = namesOf(name, fields).map((path) => valueAt(row, path));
  return values.find((value) => !isBlank(value)) ?? values.find((value) => value !== undefined);
}

export function has(row: Row, name: FieldName, fields: FieldMap): boolean {
  return !isBlank(find(row, name, fields));
}

export function text(row: Row, name: FieldName, fields: FieldMap): { text: string } | { problem: string } {
  const value = find(row, name, fields);
  if (typeof value === "string" && !isBlank(value)) return { text: value };
  const expected = `expected text under ${quotedNames(name, fields)}`;
  if (value === undefined) return { problem: `no ${name}: ${expected}` };
  if (isBlank(value)) return { problem: `the ${name} is empty: ${expected}` };
  return { problem: `the ${name} is ${typeName(value)}: ${expected}` };
}

/** Reads an instruction's input: undefined where there is none, a problem in words where it is not text. */
export function inputOf(row: Row, fields: FieldMap): { text: string | undefined } | { problem: string } {
  const given = find(row, "input", fields);
  if (isBlank(given)) return { text: undefined };
  return typeof given === "string"
    ? { text: given }
    : { problem: `the input is ${typeName(given)}, expected a string` };
}

/** Lists the columns of a field for a sentence. */
export function quotedNames(name: FieldName, fields: FieldMap): string {
  return namesOf(name, fields)
    .map((path) => `"${path}"`)
    .join(" or ");
}

export function columnNames(row: Row): string {
  const columns = Object.keys(row);
  return `columns: ${columns.length === 0 ? "none" : excerpt(columns.slice(0, 100).join(", "), 400)}`;
}

export function isBlank(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === "string" && value.trim() === "");
}

function namesOf(name: FieldName, fields: FieldMap): readonly string[] {
  const mapped = fields[name];
  return mapped === undefined ? ALIASES[name] : [mapped];
}
