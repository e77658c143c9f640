import type { Comparison, Group } from "./comparison.ts";
import { costOf, figure, type Stage, VIEWS } from "./figures.ts";
import type { Spread } from "./spread.ts";
import type { StoredScores } from "./stored-run.ts";

type Cell = string | number | undefined;

/** The tables as CSV (RFC 4180), a line for each number. */
export function comparisonCsv({ columns, bases, groups, metrics }: Comparison): string {
  const rowsOf = (group: Group, stage: Stage): Cell[][] => {
    const { cells, runs, state = "finished" } = group;
    const row = (quantity: string, over: string, spread: Spread, change?: number, worst = ""): Cell[] => [
      ...cells,
      stage === "base" ? "" : state,
      runs.map(({ seed }) => seed).join(" "),
      quantity,
      over,
      spread.n,
      spread.mean,
      spread.sd,
      spread.min,
      spread.max,
      change,
      worst,
    ];
    const scores = metrics.flatMap((metric) =>
      VIEWS.flatMap((view) => {
        const found = figure(group, metric, view, stage);
        return found === undefined ? [] : [row(metric, view, found, found.change, found.clients.join(" "))];
      }),
    );
    const costs = Object.entries(costOf(group) ?? {}).map(([quantity, spread]) => row(quantity, "", spread as Spread));
    return stage === "base" ? scores : [...scores, ...costs];
  };
  return csv(
    [...columns, "state", "seeds", "quantity", "over", "n", "mean", "sd", "min", "max", "change", "worstClient"],
    [...bases.flatMap((group) => rowsOf(group, "base")), ...groups.flatMap((group) => rowsOf(group, "final"))],
  );
}

/** All scores as CSV, a line for each run, round, adapter and set, as data for other charts. */
export function scoresCsv({ groups }: Comparison): string {
  const rows = groups.flatMap(({ label, runs }) =>
    runs.flatMap(({ folder, seed, rounds }) =>
      rounds.flatMap(({ round, heldOut, personal, withheld }) => {
        const of = (adapter: string, scores: StoredScores): Cell[][] =>
          [...scores].flatMap(([set, { records, values }]) =>
            [...values].map((score) => [folder, label, seed, round, adapter, set, records, ...score]),
          );
        const global = of(round === 0 ? "base" : "global", heldOut);
        const missing = [...withheld].map(([set, reason]) => [
          folder,
          label,
          seed,
          round,
          "",
          set,
          "",
          "withheld",
          reason,
        ]);
        return [...global, ...[...personal].flatMap(([client, scores]) => of(client, scores)), ...missing];
      }),
    ),
  );
  return csv(["run", "group", "seed", "round", "adapter", "set", "records", "metric", "value"], rows);
}

function csv(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return [header, ...rows].map((row) => `${row.map(cellText).join(",")}\r\n`).join("");
}

function cellText(cell: Cell): string {
  if (cell === undefined || (typeof cell === "number" && !Number.isFinite(cell))) return "";
  const text = typeof cell === "string" ? harmless(cell) : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;

/**
 * Writes a name of somebody else so that it does nothing in a reader: a control character becomes its code (`\u001b`), and
 * an apostrophe keeps a spreadsheet from taking the cell for a formula.
 */
function harmless(text: string): string {
  const visible = text.replace(CONTROL, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]/.test(visible) && !Number.isFinite(Number(visible))
    ? `'${visible}`
    : visible;
}
