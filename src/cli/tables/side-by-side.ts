import type { Style } from "../output.ts";
import { clip, padEnd, wrap } from "../views/text-width.ts";

export interface Side {
  readonly name: string;
  readonly text: string;
}

/** Narrowest column of text that is easy to read. */
const NARROWEST = 28;
const GAP = " │ ";

/** True if a number of answers fit beside each other. */
export function fitsSideBySide(sides: number, columns: number): boolean {
  return columnWidth(sides, columns) >= NARROWEST;
}

/** Answers in columns, each under its name; no line is wider than `columns`. */
export function sideBySide(sides: readonly Side[], columns: number, style: Style): string[] {
  const width = columnWidth(sides.length, columns);
  const texts = sides.map(({ text }) => wrap(text.trim().replaceAll("\t", "    "), width));
  const height = Math.max(...texts.map(({ length }) => length));
  const row = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (i === cells.length - 1 ? cell : padEnd(cell, width)))
      .join(style("dim", GAP))
      .trimEnd();
  return [
    row(sides.map(({ name }) => style("bold", clip(name, width)))),
    ...Array.from({ length: height }, (_, line) => row(texts.map((lines) => lines[line] ?? ""))),
  ];
}

function columnWidth(sides: number, columns: number): number {
  return Math.floor((columns - (sides - 1) * GAP.length) / sides);
}
