import { UserError } from "../../diagnostics/user-error.ts";
import { isRow, place, type SourcedRow } from "../../data/row.ts";
import { listColumn, textColumn } from "../benchmark-data.ts";
import { letter } from "./multiple-choice.ts";

/** Names of the options' columns in public copies of the benchmarks. */
const SPREAD = [
  ["choice0", "choice1", "choice2", "choice3", "choice4"],
  ["ending0", "ending1", "ending2", "ending3", "ending4"],
  ["opa", "opb", "opc", "opd", "ope"],
  ["A", "B", "C", "D", "E"],
] as const;

/**
 * Reads a row's options in the order of their letters: an object by letters, a list called `choices`, or a column for each.
 *
 * @throws UserError("data") that lists the columns.
 */
export function optionsOf(row: SourcedRow): readonly string[] {
  const { fields, source } = row;
  const { options } = fields;
  if (isRow(options)) {
    return inOrder({ fields: options, source }, ["A", "B", "C", "D", "E"], 'an object of options, "A" to "D" or "E"');
  }
  if (fields["choices"] !== undefined) return listColumn(row, "choices");
  const columns = SPREAD.find(([first]) => Object.hasOwn(fields, first));
  if (columns !== undefined) return inOrder(row, columns, "a column for each option");
  throw new UserError(
    "data",
    `${place(source)}: no options, expected them in "options" or "choices" or a column for each`,
    {
      hint: `Its columns are ${Object.keys(fields).slice(0, 10).join(", ")}.`,
    },
  );
}

function inOrder(row: SourcedRow, columns: readonly string[], called: string): readonly string[] {
  const there = columns.filter(
    (column) => typeof row.fields[column] === "string" || typeof row.fields[column] === "number",
  );
  const gap = columns.slice(0, there.length).find((column, i) => there[i] !== column);
  if (there.length >= 2 && gap === undefined) return there.map((column) => textColumn(row, column));
  throw new UserError("data", `${place(row.source)}: ${gap ?? columns[there.length]!} is missing in ${called}`, {
    hint: `There are ${Object.keys(row.fields).slice(0, 10).join(", ")}.`,
  });
}

/**
 * Reads the right option's index, written as a letter or as a number from 0.
 *
 * @param columns The first of them that the row has is read. The error names the last one where the row has none.
 */
export function rightOption(row: SourcedRow, columns: readonly [string, ...string[]], options: number): number {
  const column = columns.find((each) => Object.hasOwn(row.fields, each)) ?? columns.at(-1)!;
  const written = textColumn(row, column).trim();
  const index = /^[0-9]$/.test(written) ? Number(written) : written.toUpperCase().charCodeAt(0) - 65;
  if (written.length === 1 && index >= 0 && index < options) return index;
  throw new UserError(
    "data",
    `${place(row.source)}: "${column}" holds ${JSON.stringify(written)}, expected ${letter(0)} to ${letter(options - 1)} or 0 to ${options - 1}`,
  );
}
