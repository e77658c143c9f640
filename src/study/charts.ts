import { type Comparison, type Group, metricFacts } from "./comparison.ts";
import { dotChart } from "./dot-chart.ts";
import { figure, partsOf, trajectory, type View } from "./figures.ts";
import { lineChart } from "./line-chart.ts";

export interface NamedChart {
  /** `loss-common-by-round` */
  readonly name: string;
  /** A description for people who cannot see the chart. */
  readonly title: string;
  readonly svg: string;
}

export interface ChartOptions {
  readonly metric: string;
  /** The metric as people write it. */
  readonly name: string;
  /** True if the axis is in per cent, as `format` writes values. */
  readonly percent: boolean;
  /** Writes a value of the metric. */
  readonly format: (value: number) => string;
}

type Charted = Exclude<View, "worst">;

const VIEW_TEXT: Readonly<Record<Charted, string>> = {
  common: "common held-out set",
  own: "each client's own held-out set, mean over clients",
};

/** Two charts for the common set and two for the clients' own sets, as far as there are values. */
export function chartsOf(comparison: Comparison, { metric, name, percent, format }: ChartOptions): NamedChart[] {
  return (["common", "own"] as const).flatMap((view) => {
    const groups = comparison.groups.filter((group) => figure(group, metric, view, "final") !== undefined);
    if (groups.length === 0) return [];
    const what = `Held-out ${name}`;
    const facts = [metricFacts(comparison, metric), view === "own" ? withheldText(groups) : ""]
      .filter(Boolean)
      .join("; ");
    const own = comparison.bases.length > 1;
    const base = comparison.bases.length === 1 ? figure(comparison.bases[0]!, metric, view, "base")?.mean : undefined;
    const reference = base === undefined ? undefined : { label: `base ${format(base)}`, value: base };
    const seeds = groups.some(({ runs }) => runs.length > 1);
    const chart = (kind: string, title: string, draw: (title: string) => string): NamedChart => ({
      name: `${metric.replaceAll(/[^\w-]/g, "_")}-${view}-${kind}`,
      title,
      svg: draw(title),
    });
    return [
      chart("by-round", `${what} by round, ${VIEW_TEXT[view]}`, (title) =>
        lineChart({
          title,
          subtitle: [facts, seeds ? "band: lowest to highest of the seeds" : ""].filter(Boolean).join("; "),
          xLabel: "round",
          reference,
          percent,
          series: groups.map((group) => ({
            label: group.label,
            points: trajectory(group, metric, view).map(({ round, spread: { mean, min, max } }) => ({
              x: round,
              y: mean,
              min,
              max,
            })),
          })),
        }),
      ),
      chart("final", `${what} at the end, ${VIEW_TEXT[view]}`, (title) =>
        dotChart({
          title,
          subtitle: [facts, `small dots: ${partsText(groups, view)}`, own ? "dashes: each row's own base" : ""]
            .filter(Boolean)
            .join("; "),
          nameParts: view === "own",
          reference,
          percent,
          rows: groups.map((group) => ({
            ...rowOf(group, metric, view, format),
            base: own ? figure(group, metric, view, "base")?.mean : undefined,
          })),
        }),
      ),
    ];
  });
}

/** Names the sets whose scores sites withheld: the chart has no value of theirs. */
function withheldText(groups: readonly Group[]): string {
  const rounds = groups.flatMap(({ runs }) => runs.flatMap((run) => run.rounds));
  const sets = [...new Set(rounds.flatMap(({ withheld }) => [...withheld.keys()]))];
  return sets.length === 0 ? "" : `withheld: ${sets.join(", ")}`;
}

function partsText(groups: readonly Group[], view: Charted): string {
  if (view === "own") return "clients";
  return groups.some(({ personal }) => personal) ? "seeds, and the clients' adapters where each has its own" : "seeds";
}

function rowOf(group: Group, metric: string, view: Charted, format: (value: number) => string) {
  const { mean, sd } = figure(group, metric, view, "final")!;
  return {
    label: group.label,
    value: mean,
    text: sd === undefined ? format(mean) : `${format(mean)} ± ${format(sd)}`,
    parts: partsOf(group, metric, view),
  };
}
