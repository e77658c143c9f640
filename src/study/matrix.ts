import { betterWay } from "../settings/metric-names.ts";
import { type Comparison, type Group, baseRound, lastRound } from "./comparison.ts";
import { isPersonal } from "./metric-values.ts";
import { meanOf } from "./spread.ts";
import type { StoredRound, StoredRun, StoredScores } from "./stored-run.ts";

/** The scores of every adapter on every held-out set. */
export interface Matrix {
  readonly sets: readonly string[];
  readonly rows: readonly {
    /** A group's label or, for a client's own adapter, that and the client. */
    readonly adapter: string;
    readonly base: boolean;
    /** A value for each set, the mean over seeds; undefined if it was not measured. */
    readonly values: readonly (number | undefined)[];
  }[];
  /** The best row for each set; −1 if there is none. The base does not count, and some metrics have no better direction. */
  readonly best: readonly number[];
}

export function matrixOf({ bases, groups, sets, incomparable }: Comparison, metric: string): Matrix {
  const rowOf = (adapter: string, scores: readonly StoredScores[], base = false): Matrix["rows"][number] => ({
    adapter,
    base,
    values: sets.map((set) => {
      const values = scores.flatMap((of) => of.get(set)?.values.get(metric) ?? []);
      return values.length === 0 ? undefined : meanOf(values);
    }),
  });
  const rows = [
    ...bases.map((group) =>
      rowOf(
        group.label,
        rounds(group, baseRound).map(({ heldOut }) => heldOut),
        true,
      ),
    ),
    ...groups.flatMap((group) => {
      const last = rounds(group, lastRound);
      const clients = new Set(last.filter(isPersonal).flatMap(({ personal }) => [...personal.keys()]));
      if (clients.size === 0)
        return [
          rowOf(
            group.label,
            last.map(({ heldOut }) => heldOut),
          ),
        ];
      return [...clients].map((client) =>
        rowOf(
          `${group.label}: ${client}`,
          last.flatMap(({ personal }) => personal.get(client) ?? []),
        ),
      );
    }),
  ].filter(({ values }) => values.some((value) => value !== undefined));
  const better = incomparable.has(metric) ? undefined : betterWay(metric);
  const sign = better === "lower" ? 1 : -1;
  const best = sets.map((_, column) => {
    const rank = (row: number): number => {
      const value = better === undefined || rows[row]!.base ? undefined : rows[row]!.values[column];
      return value === undefined || Number.isNaN(value) ? Infinity : sign * value;
    };
    return rows.reduce((least, _row, row) => (rank(row) < (least < 0 ? Infinity : rank(least)) ? row : least), -1);
  });
  return { sets, rows, best };
}

function rounds({ runs }: Group, of: (run: StoredRun) => StoredRound | undefined): StoredRound[] {
  return runs.flatMap((run) => of(run) ?? []);
}
