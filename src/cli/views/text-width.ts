import { stripVTControlCharacters } from "node:util";

/** Ranges of code points that take two columns (Unicode East Asian Width W and F, and emoji), ascending. */
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x231a, 0x231b],
  [0x2329, 0x232a],
  [0x23e9, 0x23ec],
  [0x25fd, 0x25fe],
  [0x2614, 0x2615],
  [0x2648, 0x2653],
  [0x26aa, 0x26ab],
  [0x26bd, 0x26be],
  [0x2705, 0x2705],
  [0x270a, 0x270b],
  [0x2728, 0x2728],
  [0x274c, 0x274c],
  [0x2753, 0x2757],
  [0x2795, 0x2797],
  [0x2b50, 0x2b55],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa000, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1f64f],
  [0x1f680, 0x1f6ff],
  [0x1f900, 0x1faff],
  [0x20000, 0x3fffd],
];

const INVISIBLE = /^[\p{Mn}\p{Me}\p{Cf}]+$/u;
const EMOJI_STYLE = "\u{fe0f}";
const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });
// oxlint-disable-next-line no-control-regex
const ESCAPE = /\u001b\[[\d;]*m/y;

function graphemeWidth(grapheme: string): number {
  if (grapheme.includes(EMOJI_STYLE)) return 2;
  if (INVISIBLE.test(grapheme)) return 0;
  const code = grapheme.codePointAt(0)!;
  return code >= 0x1100 && WIDE.some(([from, to]) => code >= from && code <= to) ? 2 : 1;
}

/** Terminal columns a line takes; colours take none. */
export function textWidth(text: string): number {
  let width = 0;
  for (const { segment } of graphemes.segment(stripVTControlCharacters(text))) width += graphemeWidth(segment);
  return width;
}

export function padStart(text: string, width: number): string {
  return " ".repeat(Math.max(0, width - textWidth(text))) + text;
}

export function padEnd(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - textWidth(text)));
}

/** The line cut to `width` columns, with an ellipsis in the last column if it was cut. Colours are kept. */
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
      const next = used + graphemeWidth(segment);
      if (next > width - 1) return `${clipped}…${styled ? "\u001b[0m" : ""}`;
      clipped += segment;
      used = next;
      at += segment.length;
    }
  }
  return clipped;
}

/** Breaks text at spaces (inside a word only if it is too long) into lines of at most `width` columns; its own breaks are kept. */
export function wrap(text: string, width: number): string[] {
  return text.split("\n").flatMap((paragraph) => {
    const lines: string[] = [];
    let line = "";
    for (const word of paragraph.split(" ")) {
      if (line !== "" && textWidth(line) + 1 + textWidth(word) > width) {
        lines.push(line);
        line = "";
      } else if (line !== "") {
        line += " ";
      }
      for (const { segment } of graphemes.segment(word)) {
        if (textWidth(line) + graphemeWidth(segment) > width) {
          lines.push(line);
          line = "";
        }
        line += segment;
      }
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
