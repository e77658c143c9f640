import { excerpt } from "../diagnostics/excerpt.ts";
import type { Content } from "./content.ts";
import { columnOf, isBlank, type FieldMap, type FieldName } from "./record-fields.ts";
import type { Row } from "./row.ts";
import { TEMPLATE_VARIABLES } from "./surroundings.ts";

const AROUND: readonly FieldName[] = ["system", "history", "tools"];
const PROMPT: readonly FieldName[] = ["prompt", "messages", "instruction", "input"];

/** The parts of a row that each kind of record is read from. */
const PARTS: Readonly<Record<Content["kind"], readonly FieldName[]>> = {
  messages: ["messages", ...AROUND],
  instruction: ["instruction", "input", "response", ...AROUND],
  completion: ["prompt", "completion", ...AROUND],
  text: ["text"],
  preference: ["chosen", "rejected", ...PROMPT, ...AROUND],
  rated: ["completion", "response", "label", ...PROMPT, ...AROUND],
};

/** Counts the rows in which a column holds something that the record was not made from. */
export class UnusedColumns {
  readonly #rows = new Map<string, number>();

  count(row: Row, content: Content, fields: FieldMap): void {
    const parts = content.kind === "messages" ? conversationParts(row, fields) : PARTS[content.kind];
    const used = new Set<string | undefined>(parts.map((name) => columnOf(row, name, fields)));
    if (content.kind !== "text") used.add(TEMPLATE_VARIABLES);
    if (hasOwnSystem(content, row, fields)) used.delete(columnOf(row, "system", fields));
    for (const [column, value] of Object.entries(row)) {
      if (used.has(column) || isEmpty(value)) continue;
      this.#rows.set(column, (this.#rows.get(column) ?? 0) + 1);
    }
  }

  /** Column to number of rows, in the order of the columns. */
  get rows(): ReadonlyMap<string, number> {
    return this.#rows;
  }
}

/** Says what no record was made from, and that whole texts are learnt. `dealtBy` is a column that has another use. */
export function useNotes(
  records: readonly { readonly content: Content }[],
  unused: ReadonlyMap<string, number>,
  dealtBy?: string,
): string[] {
  const others = [...unused].filter(([column]) => column !== dealtBy && column !== dealtBy?.split(".")[0]);
  const shown = others.slice(0, 8).map(([column, rows]) => `${excerpt(column)} (${counted(rows)})`);
  const more = others.length > 8 ? `, and ${others.length - 8} more` : "";
  const texts = records.filter(({ content }) => content.kind === "text").length;
  return [
    ...(others.length === 0 ? [] : [`columns that are not used: ${shown.join(", ")}${more}`]),
    ...(texts === 0
      ? []
      : [`${counted(texts)} of text without an answer: every token is learnt, and no template is used`]),
  ];
}

function counted(rows: number): string {
  return rows === 1 ? "1 record" : `${rows} records`;
}

/** A conversation is read from `messages`, or from prompt and completion that are lists of messages. */
function conversationParts(row: Row, fields: FieldMap): readonly FieldName[] {
  const fromPrompt =
    typeof fields.prompt === "string" || typeof fields.completion === "string" || !columnOf(row, "messages", fields);
  return fromPrompt && typeof fields.messages !== "string" ? ["prompt", "completion", ...AROUND] : PARTS.messages;
}

/** True where a conversation begins with its own system message, so that the column's is left out. */
function hasOwnSystem(content: Content, row: Row, fields: FieldMap): boolean {
  const column = columnOf(row, "system", fields);
  if (column === undefined || !("messages" in content || "prompt" in content)) return false;
  const turns = "messages" in content ? content.messages : content.prompt;
  return typeof turns === "object" && turns[0]?.role === "system" && turns[0].content !== row[column];
}

function isEmpty(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.keys(value).length === 0;
  return isBlank(value);
}
