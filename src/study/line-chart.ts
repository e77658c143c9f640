import { fill, type InkName, picture, seriesDash, seriesInk, stroke, text } from "./chart-style.ts";
import { linearScale, paddedRange, spreadOut, ticksOf, tickTexts } from "./scale.ts";
import { element, fitted, pathThrough, textPixels } from "./svg.ts";

export interface LineSeries {
  readonly label: string;
  /** `min` and `max` are the edges of the band; both are the value of the line if there is no band. */
  readonly points: readonly {
    readonly x: number;
    readonly y: number;
    readonly min: number;
    readonly max: number;
  }[];
}

export interface LineChart {
  readonly title: string;
  readonly subtitle: string;
  /** Writes the values of the axis, which are shares, in per cent. */
  readonly percent?: boolean;
  readonly xLabel: string;
  readonly series: readonly LineSeries[];
  /** A level to compare with, as a dashed line. */
  readonly reference: { readonly label: string; readonly value: number } | undefined;
}

const WIDTH = 760;
const HEIGHT = 420;
const TOP = 66;
const BOTTOM = 44;
const LABEL = { size: 12, gap: 16, most: 250 } as const;

/** A chart of lines over whole numbers such as rounds. Each line has its name at its end. */
export function lineChart({ title, subtitle, xLabel, series, reference, percent = false }: LineChart): string {
  const drawn = series.map(({ label, points }) => ({
    label,
    points: points.filter(({ y, min, max }) => [y, min, max].every(Number.isFinite)),
  }));
  const points = drawn.flatMap((each) => each.points);
  const levels = reference === undefined ? [] : [reference.value];
  const yRange = paddedRange([...points.flatMap(({ min, max }) => [min, max]), ...levels]);
  const xs = points.map(({ x }) => x);
  const xRange = [Math.min(...xs, 0), Math.max(...xs, 1)] as const;
  const yTicks = ticksOf(yRange, 6);
  const yTexts = tickTexts(yTicks, percent);
  const left = 24 + Math.max(...yTexts.map((each) => textPixels(each, 11)));
  const labels = drawn.map(({ label }) => fitted(label, LABEL.size, LABEL.most));
  const right = 34 + Math.max(0, ...[...labels, reference?.label ?? ""].map((each) => textPixels(each, LABEL.size)));
  const x = linearScale(xRange, [left, WIDTH - right]);
  const y = linearScale(yRange, [HEIGHT - BOTTOM, TOP]);
  const end = x(xRange[1]);

  const gridLines = yTicks.flatMap((tick, i) => [
    element("line", { x1: left, x2: end, y1: y(tick), y2: y(tick), ...stroke("grid") }),
    text(left - 8, y(tick) + 4, yTexts[i]!, { size: 11, ink: "muted", anchor: "end" }),
  ]);
  const xTicks = ticksOf(xRange, 10, 1).map((tick) =>
    text(x(tick), HEIGHT - BOTTOM + 18, String(tick), { size: 11, ink: "muted", anchor: "middle" }),
  );
  const ends = drawn.flatMap(({ points: own }, i): LineEnd[] => {
    const last = own.at(-1);
    return last === undefined ? [] : [{ at: [x(last.x), y(last.y)], words: labels[i]!, ink: seriesInk(i) }];
  });
  if (reference !== undefined) ends.push({ at: [end, y(reference.value)], words: reference.label, ink: "muted" });
  return picture(WIDTH, HEIGHT, title, [
    text(16, 26, title, { size: 15, bold: true }),
    text(16, 45, subtitle, { size: 12, ink: "muted" }),
    ...gridLines,
    ...levels.map((level) =>
      element("line", { x1: left, x2: end, y1: y(level), y2: y(level), "stroke-dasharray": "4 4", ...stroke("muted") }),
    ),
    ...xTicks,
    text((left + end) / 2, HEIGHT - 8, xLabel, { size: 11, ink: "muted", anchor: "middle" }),
    ...seriesElements(drawn, x, y),
    ...endLabels(ends, end),
  ]);
}

/** The bands, the lines and the points of all series, in this order. */
function seriesElements(
  drawn: readonly LineSeries[],
  x: (value: number) => number,
  y: (value: number) => number,
): string[] {
  const bands = drawn.flatMap(({ points }, i) => {
    if (points.every(({ min, max }) => max <= min)) return [];
    const upper = points.map((p) => [x(p.x), y(p.max)] as const);
    const lower = points.toReversed().map((p) => [x(p.x), y(p.min)] as const);
    return [
      element("path", { d: `${pathThrough([...upper, ...lower])}Z`, "fill-opacity": 0.16, ...fill(seriesInk(i)) }),
    ];
  });
  const lines = drawn.map(({ points }, i) =>
    element("path", {
      d: pathThrough(points.map((p) => [x(p.x), y(p.y)])),
      fill: "none",
      "stroke-width": 2,
      "stroke-linejoin": "round",
      "stroke-dasharray": seriesDash(i),
      ...stroke(seriesInk(i)),
    }),
  );
  const dots = drawn.flatMap(({ points }, i) =>
    points.map((p) => element("circle", { cx: x(p.x), cy: y(p.y), r: 2.8, ...fill(seriesInk(i)) })),
  );
  return [...bands, ...lines, ...dots];
}

/** A name for a point, which is the end of a line. */
interface LineEnd {
  readonly at: readonly [x: number, y: number];
  readonly words: string;
  readonly ink: InkName;
}

/** Names right of the axis, which ends at `edge`. Names that would overlap are moved apart; a thin line leads to them. */
function endLabels(ends: readonly LineEnd[], edge: number): string[] {
  const heights = ends.map(({ at }) => at[1]);
  const places = spreadOut(heights, LABEL.gap, [TOP, HEIGHT - BOTTOM]);
  return ends.flatMap(({ at: [x, y], words, ink }, i) => {
    const place = places[i]!;
    const isMoved = Math.abs(place - y) > 3 || x < edge - 1;
    const leader = element("path", {
      d: pathThrough([
        [x + 5, y],
        [edge + 14, place],
      ]),
      fill: "none",
      "stroke-opacity": 0.6,
      // Dots, so that it does not look like a data line.
      "stroke-dasharray": "1 3",
      ...stroke(ink),
    });
    return [...(isMoved ? [leader] : []), text(edge + 18, place + 4, words, { size: LABEL.size, ink })];
  });
}
