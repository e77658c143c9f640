import { padEnd, padStart, textWidth } from "../views/text-width.ts";

export interface Column {
  readonly header?: string;
  readonly align?: "left" | "right";
}

/** Rows in columns that are two spaces apart, below a header if any column has one. Widths are those on a terminal. */
export function tableLines(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const hasHeader = columns.some(({ header }) => header !== undefined);
  const all = hasHeader ? [columns.map(({ header = "" }) => header), ...rows] : rows;
  const widths = columns.map((_, i) => all.reduce((width, row) => Math.max(width, textWidth(row[i] ?? "")), 0));
  return all.map((row) =>
    columns
      .map(({ align }, i) =>
        align === "right" ? padStart(row[i] ?? "", widths[i]!) : padEnd(row[i] ?? "", widths[i]!),
      )
      .join("  ")
      .trimEnd(),
  );
}
