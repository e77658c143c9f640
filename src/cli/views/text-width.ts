import { stripVTControlCharacters } from "node:util";
import stringWidth from "string-width";

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });
// oxlint-disable-next-line no-control-regex
const ESCAPE = /\u001b\[[\d;]*m/y;

/** Terminal columns a line takes; colours take none. */
export function textWidth(text: string): number {
  return stringWidth(text);
}

export function padStart(text: string, width: number): string {
  return " ".repeat(Math.max(0, width - textWidth(text))) + text;
}

export function padEnd(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - textWidth(text)));
}

/**
 * The line cut to `width` columns, with an ellipsis in the last column if it was cut. Colours are kept. (cli-truncate makes a
 * line of wide characters wider than it may be.)
 */
export function clip(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  let clipped = "";
  let used = 0;
  let styled = false;
  for (let at = 0; at < text.length;) {
    ESCAPE.lastIndex = at;
    const escape = ESCAPE.exec(text)?.[0];
    if (escape !== undefined) {
      clipped += escape;
      styled = true;
      at += escape.length;
      continue;
    }
    const end = text.indexOf("\u001b", at + 1);
    for (const { segment } of graphemes.segment(text.slice(at, end < 0 ? undefined : end))) {
      const next = used + textWidth(segment);
      if (next > width - 1) return `${clipped}…${styled ? "\u001b[0m" : ""}`;
      clipped += segment;
      used = next;
      at += segment.length;
    }
  }
  return clipped;
}

/**
 * Breaks text at spaces (inside a word only if it is too long) into lines of at most `width` columns. Its own breaks and
 * indents are kept. (wrap-ansi either drops indents or begins lines with the space of a break.)
 */
export function wrap(text: string, width: number): string[] {
  return text.split("\n").flatMap((paragraph) => {
    const lines: string[] = [];
    const [first = "", ...others] = paragraph.trimStart().split(" ");
    const indent = paragraph.slice(0, paragraph.length - paragraph.trimStart().length);
    let line = "";
    const place = (word: string): void => {
      for (const { segment } of graphemes.segment(word)) {
        if (textWidth(line) + textWidth(segment) > width) {
          lines.push(line);
          line = "";
        }
        line += segment;
      }
    };
    place(textWidth(indent + first) > width ? first : indent + first);
    for (const word of others) {
      if (textWidth(line) + 1 + textWidth(word) > width) {
        lines.push(line);
        line = "";
      } else line += " ";
      place(word);
    }
    return [...lines, line];
  });
}

// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/**
 * Text from a file or a model without what could steer a terminal: escape sequences, carriage returns, bidirectional
 * overrides. Line breaks and tabs stay.
 */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replace(CONTROL, "");
}

/** The same text on one line. */
export function oneLine(text: string): string {
  return printable(text.replaceAll(/\s+/g, " ")).trim();
}
