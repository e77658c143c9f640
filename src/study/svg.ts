export type Attributes = Readonly<Record<string, string | number | undefined>>;

/** One SVG element; its children are text that is SVG already. Coordinates are rounded to hundredths of a pixel. */
export function element(name: string, attributes: Attributes, ...children: readonly string[]): string {
  const written = Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [` ${key}="${typeof value === "number" ? round(value) : escaped(value)}"`],
  );
  const inside = children.join("");
  return `<${name}${written.join("")}${inside === "" ? "/>" : `>${inside}</${name}>`}`;
}

/** Text for an element's inside. XML has no control characters; those that turn the direction of text would change others. */
export function escaped(text: string): string {
  return (
    text
      // oxlint-disable-next-line no-control-regex
      .replaceAll(
        // oxlint-disable-next-line no-control-regex -- XML has no such characters
        /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]/g,
        "",
      )
      .replaceAll("&", "&amp;")
      .replaceAll("<", "&lt;")
      .replaceAll(">", "&gt;")
      .replaceAll('"', "&quot;")
  );
}

/** `M1,2L3,4` through the points. */
export function pathThrough(points: readonly (readonly [x: number, y: number])[]): string {
  return points.map(([x, y], i) => `${i === 0 ? "M" : "L"}${round(x)},${round(y)}`).join("");
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** A generous estimate of the width of text in a sans-serif font, in pixels: nothing here can measure it. */
export function textPixels(text: string, size: number): number {
  let ems = 0;
  for (const character of text)
    ems += character.codePointAt(0)! >= 0x1100 ? 1.05 : /[MW@m%]/.test(character) ? 0.9 : 0.57;
  return ems * size;
}

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** Cuts a text with an ellipsis if it is wider than a number of pixels. */
export function fitted(text: string, size: number, pixels: number): string {
  if (textPixels(text, size) <= pixels) return text;
  const characters = [...graphemes.segment(text)].map(({ segment }) => segment);
  while (characters.length > 1 && textPixels(`${characters.join("")}…`, size) > pixels) characters.pop();
  return `${characters.join("")}…`;
}
