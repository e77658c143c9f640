import { fill, picture, stroke, text } from "./chart-style.ts";
import { type CourseRound, lateClients } from "./run-course.ts";
import { element, fitted, textPixels } from "./svg.ts";

/** A client's part in a round. */
export type Part = "trained" | "refused" | "late" | "not drawn";

export const PARTS: readonly Part[] = ["trained", "refused", "late", "not drawn"];

export function partOf(round: CourseRound, client: string): Part {
  if (round.accepted.includes(client)) return "trained";
  if (round.refused.has(client)) return "refused";
  return lateClients(round).includes(client) ? "late" : "not drawn";
}

const WIDTH = 760;
const TOP = 92;
const ROW = 22;
const LABEL = { size: 12, most: 180 } as const;
const LARGEST_CELL = 26;

/** A chart with a row for each client and a column for each round. Each part has a form of its own, not only a colour. */
export function courseChart(
  { title, subtitle }: { readonly title: string; readonly subtitle: string },
  clients: readonly string[],
  rounds: readonly CourseRound[],
): string {
  const labels = clients.map((client) => fitted(client, LABEL.size, LABEL.most));
  const left = 28 + Math.max(0, ...labels.map((label) => textPixels(label, LABEL.size)));
  const cell = Math.min(LARGEST_CELL, (WIDTH - 24 - left) / Math.max(1, rounds.length));
  const bottom = TOP + clients.length * ROW;
  const every = Math.max(1, Math.ceil(22 / cell));
  const seen = PARTS.filter((part) => rounds.some((round) => clients.some((client) => partOf(round, client) === part)));
  let x = 16;
  const legend = seen.flatMap((part) => {
    const at = x;
    x += 34 + textPixels(part, 12);
    return [...mark(part, at + 6, 68, 12), text(at + 18, 72, part, { size: 12, ink: "muted" })];
  });
  return picture(WIDTH, bottom + 40, title, [
    text(16, 26, title, { size: 15, bold: true }),
    text(16, 45, subtitle, { size: 12, ink: "muted" }),
    ...legend,
    ...clients.flatMap((client, row) => {
      const y = TOP + (row + 0.5) * ROW;
      return [
        text(left - 10, y + 4, labels[row]!, { size: LABEL.size, anchor: "end" }),
        ...rounds.flatMap((round, i) =>
          mark(partOf(round, client), left + (i + 0.5) * cell, y, Math.min(cell * 0.75, ROW * 0.65)),
        ),
      ];
    }),
    ...rounds.flatMap(({ round }, i) =>
      i % every === 0
        ? [text(left + (i + 0.5) * cell, bottom + 16, String(round), { size: 11, ink: "muted", anchor: "middle" })]
        : [],
    ),
    text((left + left + rounds.length * cell) / 2, bottom + 33, "round", { size: 11, ink: "muted", anchor: "middle" }),
  ]);
}

/** A full square, a cross, a hollow square or a small dot. */
function mark(part: Part, x: number, y: number, size: number): string[] {
  const half = size / 2;
  const box = { x: x - half, y: y - half, width: size, height: size };
  switch (part) {
    case "trained":
      return [element("rect", { ...box, ...fill("series-0") })];
    case "refused": {
      const d = `M${x - half},${y - half}L${x + half},${y + half}M${x - half},${y + half}L${x + half},${y - half}`;
      return [element("path", { d, fill: "none", "stroke-width": 2, ...stroke("series-1") })];
    }
    case "late":
      return [element("rect", { ...box, fill: "none", "stroke-width": 1.5, ...stroke("series-3") })];
    default:
      return [element("circle", { cx: x, cy: y, r: Math.min(1.5, half), ...fill("muted") })];
  }
}
