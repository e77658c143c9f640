import { excerpt } from "../diagnostics/excerpt.ts";
import { UserError } from "../diagnostics/user-error.ts";
import type { SourcedRow } from "./row.ts";
import { decodeText } from "./text.ts";

interface Line {
  /** 1-based line of its first character. */
  readonly line: number;
  readonly cells: readonly string[];
}

/** What may separate the columns of a file that does not say it. */
const DELIMITERS = [",", ";", "\t", "|"] as const;

/** The separators that have names, for `data.delimiter`. */
export const DELIMITER_NAMES: Readonly<Record<string, string>> = {
  comma: ",",
  semicolon: ";",
  tab: "\t",
  pipe: "|",
  "\\t": "\t",
};

/** Rows that tell the separator. */
const SAMPLE = 50;

export interface TableOptions {
  /** One character, or its name. Default: a line `sep=;` at the start says it, or else the first rows do. */
  readonly delimiter?: string | undefined;
}

/**
 * Reads a table with a header row (RFC 4180: quoted cells may hold the delimiter, line breaks, and doubled quotes). Line
 * breaks are LF, CRLF or CR; blank lines are skipped. A quote inside a cell that does not begin with one is a character, as
 * for Python's csv module and pandas. Every value is a string.
 *
 * Why no library reads it: docs/decisions/0011-own-csv-parser.md. csv-parse is the oracle in the test.
 */
export function readDelimited(
  bytes: Uint8Array,
  file: string,
  usual: "," | "\t",
  options: TableOptions = {},
): SourcedRow[] {
  const { text, told } = withoutSeparatorLine(decodeText(bytes, file));
  const firstLine = told === undefined ? 1 : 2;
  const given = options.delimiter === undefined ? told : (DELIMITER_NAMES[options.delimiter] ?? options.delimiter);
  const delimiter = given ?? delimiterOf(text, usual);
  const [header, ...lines] = rowsOf(text, file, delimiter, firstLine);
  if (header === undefined) return [];
  const names = columnsOf(header, file);
  return lines.map(({ line, cells }, i) => ({
    source: { file, line, record: i + 1 },
    fields: Object.fromEntries(names.map((name, column) => [name, cells[column]])),
  }));
}

/** All rows, the header included. */
export function splitCells(text: string, file: string, delimiter: string): Line[] {
  return [...cellsOf(text, file, delimiter)];
}

/** Spreadsheets tell each other the separator in a first line `sep=;`. */
function withoutSeparatorLine(text: string): { text: string; told?: string } {
  const line = /^"?sep=([^\r\n])"?(?:\r\n|\r|\n|$)/i.exec(text);
  return line === null ? { text } : { text: text.slice(line[0].length), told: line[1]! };
}

/** The separator that cuts most of the first rows into as many cells as the header, and the header into most cells. */
function delimiterOf(text: string, usual: "," | "\t"): string {
  let best = { delimiter: usual as string, whole: 0, columns: 1 };
  for (const delimiter of [usual, ...DELIMITERS.filter((each) => each !== usual)]) {
    const { whole, columns } = fit(text, delimiter);
    if (columns === 1 || whole < best.whole || (whole === best.whole && columns <= best.columns)) continue;
    best = { delimiter, whole, columns };
  }
  return best.delimiter;
}

/** The header's columns, and the part of the rows after it that have as many. */
function fit(text: string, delimiter: string): { whole: number; columns: number } {
  let columns = 0;
  let rows = 0;
  let whole = 0;
  try {
    for (const { cells } of cellsOf(text, "", delimiter)) {
      if (columns === 0) columns = cells.length;
      else {
        rows++;
        if (cells.length === columns) whole++;
      }
      if (rows === SAMPLE) break;
    }
  } catch {
    // Cut wrongly, quotes do not close: that row counts against the separator.
    rows++;
  }
  return { whole: rows === 0 ? 1 : whole / rows, columns };
}

/**
 * The rows of a table, each as long as the first. Many programs write tab-separated values without any quoting: where
 * quotes make no table of them, they are read as characters, if that does, and if no cell looks like a quoted one.
 */
function rowsOf(text: string, file: string, delimiter: string, firstLine: number): Line[] {
  try {
    return evenRows(cellsOf(text, file, delimiter, firstLine), file);
  } catch (problem) {
    if (delimiter !== "\t") throw problem;
    let plain: Line[];
    try {
      plain = evenRows(cellsOf(text, file, delimiter, firstLine, false), file);
    } catch {
      throw problem;
    }
    if (plain.some(({ cells }) => cells.some((cell) => /^".*"$/s.test(cell)))) throw problem;
    return plain;
  }
}

function evenRows(rows: Iterable<Line>, file: string): Line[] {
  const even: Line[] = [];
  for (const row of rows) {
    const header = even[0]?.cells ?? row.cells;
    if (row.cells.length !== header.length) {
      throw new UserError(
        "data",
        `${file} line ${row.line}: ${row.cells.length} cells, expected ${header.length} (${excerpt(header.slice(0, 100).join(", "), 400)})`,
        {
          hint: 'Put "quotes" around a cell that holds the delimiter or a line break. If another character separates the columns, name it with data.delimiter.',
        },
      );
    }
    even.push(row);
  }
  return even;
}

/** The names of the columns. One without a name (an index that pandas wrote, empty columns of a sheet) is called as in pandas. */
function columnsOf({ line, cells }: Line, file: string): string[] {
  const names = cells.map((name, column) => (name.trim() === "" ? `Unnamed: ${column}` : name.trim()));
  const seen = new Set<string>();
  for (const name of names) {
    if (!seen.has(name)) seen.add(name);
    else throw new UserError("data", `${file} line ${line}: two columns are named "${excerpt(name)}"`);
  }
  return names;
}

/** Cuts a text into rows of cells. Without `quotes` a quote is a character like others. */
function* cellsOf(text: string, file: string, delimiter: string, firstLine = 1, quotes = true): Generator<Line> {
  let line = firstLine;
  let at = 0;
  while (at < text.length) {
    const first = line;
    const cells: string[] = [];
    for (;;) {
      const quoted = quotes && text[at] === '"';
      const end = quoted ? closingQuote(text, at, `${file} line ${line}`) + 1 : endOfCell(text, at, delimiter);
      cells.push(quoted ? text.slice(at + 1, end - 1).replaceAll('""', '"') : text.slice(at, end));
      if (quoted) line += text.slice(at, end).split(/\r\n|\r|\n/).length - 1;
      at = end;
      if (text[at] !== delimiter) break;
      at++;
    }
    if (at < text.length && text[at] !== "\n" && text[at] !== "\r") {
      throw new UserError("data", `${file} line ${line}: text after the closing quote of a cell`, {
        hint: 'Double the quotes inside a quoted cell: "say ""yes""".',
      });
    }
    at += text[at] === "\r" && text[at + 1] === "\n" ? 2 : 1;
    line++;
    if (cells.length > 1 || cells[0] !== "") yield { line: first, cells };
  }
}

function endOfCell(text: string, start: number, delimiter: string): number {
  for (let at = start; at < text.length; at++) {
    const character = text[at];
    if (character === delimiter || character === "\n" || character === "\r") return at;
  }
  return text.length;
}

function closingQuote(text: string, open: number, where: string): number {
  for (let at = text.indexOf('"', open + 1); at !== -1; at = text.indexOf('"', at + 2)) {
    if (text[at + 1] !== '"') return at;
  }
  throw new UserError("data", `${where}: a quoted cell has no closing quote`);
}
