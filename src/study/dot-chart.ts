import { fill, type InkName, picture, seriesInk, stroke, text } from "./chart-style.ts";
import { linearScale, paddedRange, ticksOf, tickTexts } from "./scale.ts";
import { element, escaped, fitted, textPixels } from "./svg.ts";

export interface DotRow {
  readonly label: string;
  readonly value: number;
  /** Text of the value beside the row. */
  readonly text: string;
  /** The values that `value` is the mean of, as small dots. */
  readonly parts: readonly { readonly name: string; readonly value: number }[];
  /** The value of this row's base, if rows have different bases. */
  readonly base?: number | undefined;
}

export interface DotChart {
  readonly title: string;
  readonly subtitle: string;
  /** Writes the values of the axis, which are shares, in per cent. */
  readonly percent?: boolean;
  readonly rows: readonly DotRow[];
  readonly reference: { readonly label: string; readonly value: number } | undefined;
  /** Writes the names of the lowest and highest small dot under them. */
  readonly nameParts: boolean;
}

const WIDTH = 760;
const TOP = 88;
const BOTTOM = 34;
const LABEL = { size: 13, most: 250 } as const;
/** Smallest share of the axis for the rows. A reference that would leave less is only named at the edge. */
const LEAST_PART = 0.3;

/** The place of the axis: from quantity to pixels, and the edges of the drawing. */
interface Axis {
  readonly x: (value: number) => number;
  readonly left: number;
  readonly right: number;
  readonly bottom: number;
}

/** A chart with a row for each group: a large dot for its value, small dots for the parts of that mean, and a dashed reference. */
export function dotChart({ title, subtitle, rows, reference, nameParts, percent = false }: DotChart): string {
  const values = rows.flatMap(({ value, parts, base = [] }) =>
    [value, ...parts.map((part) => part.value), base].flat(),
  );
  const own = paddedRange(values);
  const withReference = paddedRange(reference === undefined ? values : [...values, reference.value]);
  const far = (own[1] - own[0]) / (withReference[1] - withReference[0]) < LEAST_PART;
  const range = far ? own : withReference;
  const labels = rows.map(({ label }) => fitted(label, LABEL.size, LABEL.most));
  const left = 28 + Math.max(0, ...labels.map((label) => textPixels(label, LABEL.size)));
  const right = WIDTH - 28 - Math.max(0, ...rows.map((row) => textPixels(row.text, LABEL.size)));
  const pitch = nameParts ? 46 : 34;
  const bottom = TOP + rows.length * pitch;
  const axis = { x: linearScale(range, [left, right]), left, right, bottom };
  const drawn = rows.flatMap((row, i) => {
    const y = TOP + (i + 0.5) * pitch - (nameParts ? 5 : 0);
    return [
      text(left - 12, y + 4, labels[i]!, { size: LABEL.size, anchor: "end" }),
      ...rowBase(row, y, axis),
      ...rowDots(row, y, seriesInk(i), axis, nameParts),
      text(right + 14, y + 4, row.text, { size: LABEL.size }),
    ];
  });
  const referenceDrawn =
    reference === undefined ? [] : far ? [edgeName(reference, range, axis)] : referenceLine(reference, axis);
  return picture(WIDTH, bottom + BOTTOM, title, [
    text(16, 26, title, { size: 15, bold: true }),
    text(16, 45, subtitle, { size: 12, ink: "muted" }),
    ...grid(range, axis, percent),
    ...referenceDrawn,
    ...drawn,
  ]);
}

function grid(range: readonly [number, number], { x, bottom }: Axis, percent: boolean): string[] {
  const ticks = ticksOf(range, 7);
  const texts = tickTexts(ticks, percent);
  return ticks.flatMap((tick, i) => [
    element("line", { x1: x(tick), x2: x(tick), y1: TOP - 8, y2: bottom, ...stroke("grid") }),
    text(x(tick), bottom + 18, texts[i]!, { size: 11, ink: "muted", anchor: "middle" }),
  ]);
}

function rowBase({ base }: DotRow, y: number, { x }: Axis): string[] {
  if (base === undefined || !Number.isFinite(base)) return [];
  const at = x(base);
  return [element("line", { x1: at, x2: at, y1: y - 13, y2: y + 13, "stroke-dasharray": "4 4", ...stroke("muted") })];
}

type Part = DotRow["parts"][number];

function rowDots({ value, parts }: DotRow, y: number, ink: InkName, axis: Axis, nameParts: boolean): string[] {
  if (!Number.isFinite(value)) return [];
  const small = parts.filter((part) => Number.isFinite(part.value)).sort((a, b) => a.value - b.value);
  const dot = element("circle", { cx: axis.x(value), cy: y, r: 6, ...fill(ink) });
  if (small.length < 2) return [dot];
  const ends = [small[0]!, small.at(-1)!] as const;
  return [...smallDots(small, ends, y, ink, axis), dot, ...(nameParts ? partNames(ends, y, axis) : [])];
}

function smallDots(
  small: readonly Part[],
  [low, high]: readonly [Part, Part],
  y: number,
  ink: InkName,
  { x }: Axis,
): string[] {
  const line = { x1: x(low.value), x2: x(high.value), y1: y, y2: y, "stroke-width": 1.5, "stroke-opacity": 0.45 };
  return [
    element("line", { ...line, ...stroke(ink) }),
    ...small.map((part) =>
      element(
        "circle",
        { cx: x(part.value), cy: y, r: 3.5, "fill-opacity": 0.5, ...fill(ink) },
        element("title", {}, escaped(`${part.name} ${part.value.toPrecision(4)}`)),
      ),
    ),
  ];
}

function partNames([low, high]: readonly [Part, Part], y: number, { x, left, right }: Axis): string[] {
  const size = 10;
  const [from, to] = [low, high].map(({ name }) => fitted(name, size, 110)) as [string, string];
  const gap = x(high.value) - x(low.value) - (textPixels(from, size) + textPixels(to, size)) / 2;
  const name = (at: number, words: string): string => {
    const half = textPixels(words, size) / 2;
    const place = Math.min(Math.max(at, left + half - 8), right + 8 - half);
    return text(place, y + 19, words, { size, ink: "muted", anchor: "middle", halo: true });
  };
  return gap < 8 ? [] : [name(x(low.value), from), name(x(high.value), to)];
}

type Reference = NonNullable<DotChart["reference"]>;

/** The name of a reference that lies outside the axis. */
function edgeName({ label, value }: Reference, range: readonly [number, number], { left, right }: Axis): string {
  const toRight = value > range[1];
  const anchor = toRight ? "end" : "start";
  return text(toRight ? right : left, TOP - 16, toRight ? `${label} →` : `← ${label}`, {
    size: 11,
    ink: "muted",
    anchor,
  });
}

function referenceLine({ label, value }: Reference, { x, left, bottom }: Axis): string[] {
  const at = x(value);
  const half = textPixels(label, 11) / 2;
  const place = Math.min(Math.max(at, left + half), WIDTH - 16 - half);
  return [
    element("line", { x1: at, x2: at, y1: TOP - 10, y2: bottom, "stroke-dasharray": "4 4", ...stroke("muted") }),
    text(place, TOP - 16, label, { size: 11, ink: "muted", anchor: "middle" }),
  ];
}
