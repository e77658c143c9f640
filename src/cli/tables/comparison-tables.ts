import { COMMON_SET } from "../../experiment/records/client-records.ts";
import { LOSS } from "../../settings/metric-names.ts";
import { type Comparison, type Group, metricFacts } from "../../study/comparison.ts";
import { costOf, type Figure, figure, type Stage, type View, VIEWS } from "../../study/figures.ts";
import { matrixOf } from "../../study/matrix.ts";
import { seedPairs } from "../../study/seed-pairs.ts";
import {
  formatBytes,
  formatChange,
  formatDuration,
  formatLoss,
  formatMetric,
  metricName,
} from "../views/quantities.ts";
import type { Cell, Table, Tables } from "./tables.ts";
import { oneLine } from "../views/text-width.ts";

export interface TableOptions {
  /** Metrics that get a table of every adapter on every set. */
  readonly matrix: readonly string[];
  /** More tables at the end. */
  readonly more?: readonly Table[];
  /** More notes under the tables. */
  readonly notes?: readonly string[];
}

const VIEW_HEADERS: Readonly<Record<View, string>> = {
  common: "common set",
  own: "own sets, mean",
  worst: "worst client",
};

export function comparisonTables(comparison: Comparison, options: TableOptions): Tables {
  const matrices = options.matrix.map((metric) => matrixTable(comparison, metric));
  const [first] = comparison.metrics;
  const pairs = first === undefined ? undefined : differenceTable(comparison, first);
  const tables = [
    ...comparison.metrics.map((metric) => metricTable(comparison, metric)),
    ...(pairs === undefined ? [] : [pairs]),
    costTable(comparison),
    ...matrices,
    ...(options.more ?? []),
  ];
  return {
    tables,
    notes: [
      ...notesOf(comparison, matrices),
      ...(pairs === undefined ? [] : [DIFFERENCE_NOTE]),
      ...comparison.legend,
      ...(options.notes ?? []),
    ],
  };
}

function metricTitle(comparison: Comparison, metric: string): string {
  const facts = metricFacts(comparison, metric);
  return `held-out ${metricName(metric)}${facts === "" ? "" : ` (${facts})`}`;
}

export function formatValue(metric: string, value: number): string {
  return metric === LOSS ? formatLoss(value) : formatMetric(metric, value);
}

interface Line {
  readonly group: Group;
  readonly stage: Stage;
}

function linesOf({ bases, groups }: Comparison): Line[] {
  return [
    ...bases.map((group): Line => ({ group, stage: "base" })),
    ...groups.map((group): Line => ({ group, stage: "final" })),
  ];
}

function metricTable(comparison: Comparison, metric: string): Table {
  const lines = linesOf(comparison);
  const views = VIEWS.filter((view) =>
    lines.some(({ group, stage }) => figure(group, metric, view, stage) !== undefined),
  );
  const withChange = (view: View): boolean => metric === LOSS && view !== "worst" && comparison.bases.length > 0;
  return {
    title: metricTitle(comparison, metric),
    columns: [
      ...labelColumns(comparison),
      ...views.flatMap((view) => [
        { header: VIEW_HEADERS[view], right: false },
        ...(withChange(view) ? [{ header: "change", right: true }] : []),
      ]),
    ],
    rows: lines.map(({ group, stage }) => [
      ...labelCells(group, stage),
      ...views.flatMap((view) => {
        const found = figure(group, metric, view, stage);
        const change = found?.change;
        return [
          figureCell(found, metric, stage),
          ...(withChange(view) ? [{ text: change === undefined ? "" : formatChange(1, 1 + change) }] : []),
        ];
      }),
    ]),
  };
}

const DIFFERENCE_NOTE =
  "difference: the row less the first row, paired by seed; in its range, the 95% t interval. A range that holds 0 does not tell the two apart.";

/** The rows less the first, paired by seed; undefined where no two rows share two seeds. */
function differenceTable(comparison: Comparison, metric: string): Table | undefined {
  const pairs = seedPairs(comparison, metric);
  if (pairs.length === 0) return undefined;
  const reference = comparison.groups.find(({ state }) => state === undefined)!;
  const views = VIEWS.filter((view) => pairs.some(({ differences }) => differences[view] !== undefined));
  const signed = (value: number): string => `${value < 0 ? "" : "+"}${formatValue(metric, value)}`;
  return {
    title: `${metricTitle(comparison, metric)}: difference from ${oneLine(reference.label)}`,
    columns: [
      { header: "row", right: false },
      { header: "seeds", right: true },
      ...views.map((view) => ({ header: VIEW_HEADERS[view], right: true })),
    ],
    rows: pairs.map(({ group, differences }) => [
      { text: oneLine(group.label) },
      { text: String(Math.max(...Object.values(differences).map(({ n }) => n))) },
      ...views.map((view): Cell => {
        const found = differences[view];
        if (found === undefined) return { text: "–" };
        return { text: signed(found.value), range: `${signed(found.low!)} to ${signed(found.high!)}` };
      }),
    ]),
  };
}

function costTable(comparison: Comparison): Table {
  const packs = comparison.groups.some((group) => costOf(group)?.ofFloat32 !== undefined);
  return {
    title: "cost (mean over runs)",
    columns: [
      ...labelColumns(comparison),
      ...["training", "up", "down", ...(packs ? ["of float32"] : [])].map((header) => ({ header, right: true })),
    ],
    rows: comparison.groups.map((group) => {
      const cost = costOf(group);
      const share = cost?.ofFloat32 === undefined ? "–" : `${(100 * cost.ofFloat32.mean).toFixed(2)}%`;
      const texts = [
        ...(cost === undefined
          ? ["–", "–", "–"]
          : [formatDuration(cost.seconds.mean), formatBytes(cost.bytesUp.mean), formatBytes(cost.bytesDown.mean)]),
        ...(packs ? [share] : []),
      ];
      return [...labelCells(group, "final"), ...texts.map((text) => ({ text }))];
    }),
  };
}

function matrixTable(comparison: Comparison, metric: string): Table {
  const { sets, rows, best } = matrixOf(comparison, metric);
  return {
    title: `${metricTitle(comparison, metric)}: every adapter on every set`,
    columns: [{ header: "adapter", right: false }, ...sets.map((set) => ({ header: oneLine(set), right: true }))],
    rows: rows.map(({ adapter, values }, row) => [
      { text: oneLine(adapter) },
      ...values.map((value, column) => ({
        text: value === undefined ? "" : formatValue(metric, value),
        best: best[column] === row && rows.filter(({ base }) => !base).length > 1,
      })),
    ]),
  };
}

function labelColumns({ columns }: Comparison) {
  return [...columns.map((header) => ({ header, right: false })), { header: "runs", right: true }];
}

function labelCells({ cells, runs, state }: Group, stage: Stage): Cell[] {
  const [first = "", ...rest] = cells.map(oneLine);
  const marked = state === undefined ? first : `${first} (${state})`;
  return [marked, ...rest, stage === "base" ? "" : String(runs.length)].map((text) => ({ text }));
}

function figureCell(found: Figure | undefined, metric: string, stage: Stage): Cell {
  if (found === undefined) return { text: "–" };
  const { mean, sd, min, max, clients } = found;
  const deviation = sd === undefined || (stage === "base" && max === min) ? "" : ` ± ${formatValue(metric, sd)}`;
  const names = clients.length === 0 ? "" : ` ${clients.map(oneLine).join(", ")}`;
  return {
    text: `${formatValue(metric, mean)}${deviation}${names}`,
    ...(max > min && { range: `${formatValue(metric, min)}–${formatValue(metric, max)}` }),
  };
}

/** Notes on runs that stopped early or kept a best round, because the tables show the last round. */
function bestNotes({ groups }: Comparison): string[] {
  return groups.flatMap(({ label, runs }) => {
    const parts = runs.flatMap(({ seed, stoppedEarly, rounds, best, chosenOn }) => {
      const stopped = stoppedEarly ? [`stopped after round ${rounds.at(-1)?.round ?? 0}`] : [];
      const kept =
        best === undefined
          ? []
          : [
              `best round ${best.round} (${oneLine(metricName(best.metric))} ${formatValue(best.metric, best.value)}, ${chosenOn === "validation" ? "on the validation part" : "on what is reported"})`,
            ];
      const facts = [...stopped, ...kept];
      return facts.length === 0 ? [] : [`${runs.length > 1 ? `seed ${seed} ` : ""}${facts.join(", ")}`];
    });
    return parts.length === 0 ? [] : [`${oneLine(label)}: ${parts.join("; ")}.`];
  });
}

/** Names the sets whose scores sites withheld: they are in no mean. */
function withheldNotes({ groups }: Comparison): string[] {
  return groups.flatMap(({ label, runs }) => {
    const reasons = new Map(runs.flatMap(({ rounds }) => rounds.flatMap(({ withheld }) => [...withheld])));
    if (reasons.size === 0) return [];
    const sets = Array.from(reasons, ([set, reason]) => `${oneLine(set)} (${oneLine(reason)})`);
    return [`${oneLine(label)}: withheld and in no mean: ${sets.join(", ")}.`];
  });
}

function notesOf(comparison: Comparison, matrices: readonly Table[]): string[] {
  const { groups, metrics, sets } = comparison;
  const several = groups.some(({ runs }) => runs.length > 1);
  const lost = groups.flatMap(({ runs }) => runs.filter(({ measured }) => !measured));
  const personal = groups.filter((group) => group.personal);
  const inCommon = personal.some((group) => metrics.some((metric) => figure(group, metric, "common", "final")));
  const best = matrices.some(({ rows }) => rows.some((row) => row.some((cell) => cell.best)));
  return [
    ...(metrics.length === 0 && lost.length === 0
      ? ["No held-out scores: see data.heldOut and data.heldOutRecords."]
      : []),
    ...(lost.length > 0
      ? [
          `metrics.json is missing in ${lost.map(({ folder }) => folder).join(", ")}: the run was stopped before its first evaluation, or the file is lost. Run its command again to write it.`,
        ]
      : []),
    ...(several ? ["±: sample standard deviation over seeds; beside it, lowest–highest."] : []),
    ...(sets.some((set) => set !== COMMON_SET)
      ? ["own sets, mean: mean over the clients' own held-out sets, with equal weight for each client."]
      : []),
    ...(metrics.includes(LOSS) ? ["change: relative to the base (no adapter), computed for each run."] : []),
    ...(personal.length > 0
      ? [
          `${personal.map(({ label }) => oneLine(label)).join("; ")}: each client's own adapter${inCommon ? "; common set: their mean, and lowest–highest of them" : ""}.`,
        ]
      : []),
    ...withheldNotes(comparison),
    ...bestNotes(comparison),
    ...(matrices.length > 0
      ? [`every adapter on every set: means over seeds${best ? "; the best of each set is marked" : ""}.`]
      : []),
  ];
}
