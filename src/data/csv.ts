import { excerpt } from "../diagnostics/excerpt.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { decodeUtf8 } from "./json.ts";
import type { SourcedRow } from "./row.ts";

interface Line {
  /** 1-based line of its first character. */
  readonly line: number;
  readonly cells: readonly string[];
}

/**
 * Reads CSV or TSV with a header row (RFC 4180: quoted cells may hold the delimiter, line breaks, and doubled quotes).
 * Line breaks are LF or CRLF; blank lines are skipped. Every value is a string.
 *
 * No library is used: error messages need exact line numbers, and this folder runs in browsers. csv-parse counts a CRLF
 * inside quotes twice, and its browser build carries a Buffer and Node's types. It is the oracle in the test.
 */
export function readDelimited(bytes: Uint8Array, file: string, delimiter: "," | "\t"): SourcedRow[] {
  const [header, ...lines] = splitCells(decodeUtf8(bytes, file), file, delimiter);
  if (header === undefined) return [];
  const seen = new Set<string>();
  for (const name of header.cells) {
    if (!seen.has(name)) seen.add(name);
    else throw new UserError("data", `${file} line ${header.line}: two columns are named "${excerpt(name)}"`);
  }
  return lines.map(({ line, cells }, i) => {
    if (cells.length !== header.cells.length) {
      throw new UserError(
        "data",
        `${file} line ${line}: ${cells.length} cells, expected ${header.cells.length} (${excerpt(header.cells.slice(0, 100).join(", "), 400)})`,
        {
          hint: 'Put "quotes" around a cell that holds the delimiter or a line break.',
        },
      );
    }
    return {
      source: { file, line, record: i + 1 },
      fields: Object.fromEntries(header.cells.map((name, column) => [name, cells[column]])),
    };
  });
}

/** All rows, the header included. */
export function splitCells(text: string, file: string, delimiter: string): Line[] {
  const rows: Line[] = [];
  let line = 1;
  let at = 0;
  while (at < text.length) {
    const first = line;
    const cells: string[] = [];
    for (;;) {
      const quoted = text[at] === '"';
      const end = quoted ? closingQuote(text, at, `${file} line ${line}`) + 1 : endOfCell(text, at, delimiter);
      const cell = quoted ? text.slice(at + 1, end - 1).replaceAll('""', '"') : text.slice(at, end);
      if (quoted) line += text.slice(at, end).split("\n").length - 1;
      else if (cell.includes('"')) {
        throw new UserError("data", `${file} line ${line}: a quote inside a cell that is not quoted`, {
          hint: 'Put the whole cell in quotes and double the quotes inside: "say ""yes""".',
        });
      }
      cells.push(cell);
      at = end;
      if (text[at] !== delimiter) break;
      at++;
    }
    if (text[at] === "\r" && text[at + 1] === "\n") at++;
    if (at < text.length && text[at] !== "\n") {
      throw new UserError("data", `${file} line ${line}: text after the closing quote of a cell`);
    }
    at++;
    line++;
    if (cells.length > 1 || cells[0] !== "") rows.push({ line: first, cells });
  }
  return rows;
}

function endOfCell(text: string, start: number, delimiter: string): number {
  for (let at = start; at < text.length; at++) {
    const character = text[at];
    if (character === delimiter || character === "\n" || (character === "\r" && text[at + 1] === "\n")) return at;
  }
  return text.length;
}

function closingQuote(text: string, open: number, where: string): number {
  for (let at = text.indexOf('"', open + 1); at !== -1; at = text.indexOf('"', at + 2)) {
    if (text[at + 1] !== '"') return at;
  }
  throw new UserError("data", `${where}: a quoted cell has no closing quote`);
}
