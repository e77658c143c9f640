import type { Comparison, Group } from "./comparison.ts";
import { costOf, figure, type Stage, VIEWS } from "./figures.ts";
import { seedPairs } from "./seed-pairs.ts";
import type { Tuning } from "./tuning.ts";

/** The comparison for programs: the numbers of its tables, unrounded. A number that is not finite is null. */
export function comparisonJson(
  comparison: Comparison,
  { warnings, tuning }: { readonly warnings: readonly string[]; readonly tuning: Tuning | undefined },
): object {
  const { columns, bases, groups, metrics } = comparison;
  const rowOf = (group: Group, stage: Stage): object => ({
    row: group.label,
    ...(stage === "final" && {
      settings: Object.fromEntries(columns.map((column, i) => [column, group.cells[i]])),
      runs: group.runs.map(({ folder, seed, finished }) => ({ folder, seed, finished })),
    }),
    figures: Object.fromEntries(
      metrics.map((metric) => [
        metric,
        Object.fromEntries(
          VIEWS.flatMap((view) => {
            const found = figure(group, metric, view, stage);
            return found === undefined ? [] : [[view, found]];
          }),
        ),
      ]),
    ),
    ...(stage === "final" && { cost: costOf(group) }),
  });
  const reference = groups.find(({ state }) => state === undefined)?.label;
  return {
    bases: bases.map((group) => rowOf(group, "base")),
    rows: groups.map((group) => rowOf(group, "final")),
    differences: metrics.flatMap((metric) =>
      seedPairs(comparison, metric).map(({ group, differences }) => ({
        metric,
        row: group.label,
        from: reference,
        differences,
      })),
    ),
    ...(tuning !== undefined && { tuning }),
    warnings,
  };
}
