import { element, escaped } from "./svg.ts";

interface Ink {
  readonly light: string;
  readonly dark: string;
}

/**
 * Colours that colour-blind people can tell apart (after Okabe and Ito), with a contrast of 3:1 or more on light and on
 * dark paper.
 */
const SERIES: readonly Ink[] = [
  { light: "#0072b2", dark: "#56b4e9" },
  { light: "#d55e00", dark: "#ff8c42" },
  { light: "#00805f", dark: "#2fc79a" },
  { light: "#aa3e98", dark: "#e39ad6" },
  { light: "#8a6500", dark: "#e6b83c" },
  { light: "#3f3f3f", dark: "#d0d0d0" },
];

const INKS = {
  paper: { light: "#ffffff", dark: "#161b22" },
  text: { light: "#1f2328", dark: "#e6edf3" },
  muted: { light: "#59636e", dark: "#9198a1" },
  grid: { light: "#e4e7eb", dark: "#2d333b" },
} as const satisfies Record<string, Ink>;

export type InkName = keyof typeof INKS | `series-${number}`;

function inkOf(name: InkName): Ink {
  return name in INKS ? INKS[name as keyof typeof INKS] : SERIES[Number(name.slice("series-".length))]!;
}

export function seriesInk(index: number): InkName {
  return `series-${index % SERIES.length}`;
}

/** The dash of a series. Series beyond the number of colours repeat the colours with another dash. */
export function seriesDash(index: number): string | undefined {
  return [undefined, "7 4", "2 3"][Math.floor(index / SERIES.length) % 3];
}

/** Attributes that fill with an ink, or draw a line with it; the style sheet changes both in a dark viewer. */
export const fill = (name: InkName): { class: string; fill: string } => ({
  class: `f-${name}`,
  fill: inkOf(name).light,
});
export const stroke = (name: InkName): { class: string; stroke: string } => ({
  class: `s-${name}`,
  stroke: inkOf(name).light,
});

/** CSS rules for charts on dark paper, below elements that `selector` names (with a space behind it). */
export function darkRules(selector = ""): string {
  return [...Object.keys(INKS), ...SERIES.map((_, i) => `series-${i}`)]
    .map((name) => {
      const { dark } = inkOf(name as InkName);
      return `${selector}.f-${name}{fill:${dark}}${selector}.s-${name}{stroke:${dark}}`;
    })
    .join("");
}

const STYLE = `\n<style>@media (prefers-color-scheme:dark){${darkRules()}}</style>\n`;

/** The chart without its style sheet, for a page that has `darkRules` itself. */
export function unstyled(svg: string): string {
  return svg.replace(STYLE, "\n");
}

export interface TextOptions {
  readonly size?: number;
  readonly ink?: InkName;
  readonly anchor?: "start" | "middle" | "end";
  readonly bold?: boolean;
  /** True: the text has an outline in the colour of the paper, so that lines behind it do not touch its letters. */
  readonly halo?: boolean;
}

export function text(
  x: number,
  y: number,
  words: string,
  { size = 12, ink = "text", anchor = "start", bold = false, halo = false }: TextOptions = {},
): string {
  const filled = fill(ink);
  const paper = stroke("paper");
  const around = { ...paper, class: `${filled.class} ${paper.class}`, "stroke-width": 3, "paint-order": "stroke" };
  return element(
    "text",
    {
      x,
      y,
      "font-size": size,
      "text-anchor": anchor,
      "font-weight": bold ? "600" : undefined,
      ...filled,
      ...(halo && around),
    },
    escaped(words),
  );
}

/** A complete SVG with its own background, so that it can be read on any page. */
export function picture(width: number, height: number, title: string, parts: readonly string[]): string {
  return `${element(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: "img",
      "font-family": "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif",
    },
    "\n",
    element("title", {}, escaped(title)),
    STYLE,
    element("rect", { width, height, rx: 6, ...fill("paper") }),
    "\n",
    parts.join("\n"),
    "\n",
  )}\n`;
}
