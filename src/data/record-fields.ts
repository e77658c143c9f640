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
  | "label"
  | "system"
  | "history"
  | "tools"
  | "text";

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
  system: ["system", "system_prompt", "system_message"],
  history: ["history"],
  tools: ["tools"],
  text: ["text"],
};

/**
 * Other column names for parts of a record: `{ instruction: "question" }`. Dotted paths reach into nested objects. False
 * leaves a part out, whatever columns there are.
 */
export type FieldMap = Readonly<Partial<Record<FieldName, string | false>>>;

/** True for a part that the mapping finds in a column. */
export function isMapped(fields: FieldMap, name: FieldName): boolean {
  return typeof fields[name] === "string";
}

/** Finds the first value that is not blank under the field's names, else a blank one. */
export function find(row: Row, name: FieldName, fields: FieldMap): unknown {
  const values = namesOf(name, fields).map((path) => valueAt(row, path));
  return values.find((value) => !isBlank(value)) ?? values.find((value) => value !== undefined);
}

/** The column that holds the value that `find` finds; undefined where it finds none, or a blank one. */
export function columnOf(row: Row, name: FieldName, fields: FieldMap): string | undefined {
  const path = namesOf(name, fields).find((each) => !isBlank(valueAt(row, each)));
  return path === undefined || Object.hasOwn(row, path) ? path : path.split(".")[0];
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

/** The trimmed text of a text, a number or a truth value, as tables hold them; undefined for anything else. */
export function asText(value: unknown): string | undefined {
  if (typeof value === "string") return value.trim();
  const written = typeof value === "number" || typeof value === "boolean" || typeof value === "bigint";
  return written ? String(value) : undefined;
}

export function isBlank(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === "string" && value.trim() === "");
}

function namesOf(name: FieldName, fields: FieldMap): readonly string[] {
  const mapped = fields[name];
  if (mapped === false) return [];
  return mapped === undefined ? ALIASES[name] : [mapped];
}
