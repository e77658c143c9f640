const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

function within(fraction: number): number {
  return Number.isFinite(fraction) ? Math.min(1, Math.max(0, fraction)) : 0;
}

/** The finished share, on a track of `width` columns: `━━━━━╸────`. */
export function progressBar(fraction: number, width: number): { done: string; left: string } {
  const halves = Math.floor(within(fraction) * width * 2);
  const done = "━".repeat(halves >> 1) + (halves % 2 === 1 ? "╸" : "");
  return { done, left: "─".repeat(width - done.length) };
}

/** A quantity as the length of a bar, to an eighth of a column. Every quantity above zero is visible. */
export function blockBar(fraction: number, width: number): string {
  const exact = within(fraction) * width * 8;
  const eighths = exact > 0 ? Math.max(1, Math.round(exact)) : 0;
  return "█".repeat(eighths >> 3) + EIGHTHS[eighths & 7]!;
}

/** Whole columns for each part of a bar, with the sum `width`: the largest remainders get the columns that rounding leaves. */
export function divideColumns(parts: readonly number[], width: number): number[] {
  const total = parts.reduce((sum, part) => sum + part, 0);
  if (total === 0) return parts.map(() => 0);
  const exact = parts.map((part) => (part / total) * width);
  const columns = exact.map(Math.floor);
  const byRemainder = [...exact.keys()].sort((a, b) => exact[b]! - columns[b]! - (exact[a]! - columns[a]!) || a - b);
  const left = width - columns.reduce((sum, column) => sum + column, 0);
  for (const i of byRemainder.slice(0, left)) columns[i]!++;
  return columns;
}
