import { plainStyle, type Style } from "../output.ts";
import type { Cell, Table, Tables } from "./tables.ts";
import { tableLines } from "./table.ts";
import { textWidth, wrap } from "../views/text-width.ts";

/** The tables for a terminal; ranges stand below their means. */
export function tablesLines(
  { tables, notes }: Tables,
  { style, columns }: { readonly style: Style; readonly columns: number },
): string[] {
  return [
    ...tables.flatMap((table) => [...terminalTable(table, style), ""]),
    ...notes.flatMap((note) => wrap(note, columns).map((line) => style("dim", line))),
  ];
}

/** Columns the table takes on a terminal. */
export function tableWidth(table: Table): number {
  return Math.max(...terminalTable(table, plainStyle).map(textWidth));
}

function terminalTable({ title, columns, rows }: Table, style: Style): string[] {
  const cell = ({ text, best }: Cell): string =>
    best === true ? (style === plainStyle ? `*${text}` : style(["bold", "green"], text)) : text;
  const lines = rows.flatMap((row) => [
    row.map(cell),
    ...(row.some(({ range }) => range !== undefined)
      ? [row.map(({ range = "" }) => (range === "" ? "" : style("dim", range)))]
      : []),
  ]);
  const [header, ...body] = tableLines(
    columns.map((column) => ({ header: column.header, align: column.right ? "right" : "left" })),
    lines,
  );
  return [style("bold", title), style("dim", header!), ...body];
}

/** The tables as Markdown; ranges stand in brackets behind their means. */
export function tablesMarkdown(
  { tables, notes }: Tables,
  {
    heading,
    warnings,
    charts,
  }: {
    readonly heading: string;
    readonly warnings: readonly string[];
    readonly charts: readonly { readonly file: string; readonly title: string }[];
  },
): string {
  const blocks = [
    `# ${markdownText(heading)}`,
    ...warnings.map((warning) => `> **Warning:** ${markdownText(warning)}`),
    ...tables.flatMap((table) => [
      `## ${markdownText(table.title[0]!.toUpperCase() + table.title.slice(1))}`,
      tableMarkdown(table),
    ]),
    ...(notes.length === 0 ? [] : [notes.map((note) => `- ${markdownText(note)}`).join("\n")]),
    ...charts.map(({ file, title }) => `![${markdownText(title)}](${file})`),
  ];
  return `${blocks.join("\n\n")}\n`;
}

/** A table as Markdown, without its title. */
export function tableMarkdown({ columns, rows }: Table): string {
  return [
    columns.map(({ header }) => markdownText(header)),
    columns.map(({ right }) => (right ? "---:" : "---")),
    ...rows.map((row) => row.map(markdownCell)),
  ]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
}

function markdownCell({ text, range, best }: Cell): string {
  const value = markdownText(text);
  return `${best ? `**${value}**` : value}${range === undefined ? "" : ` (${range})`}`;
}

/** Names of clients and folders are not markup. */
export function markdownText(text: string): string {
  return text.replaceAll(/[\\`*_[\]<>|]/g, String.raw`\$&`).replaceAll("\n", " ");
}
