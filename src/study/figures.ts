import { baseRound, type Group, lastRound } from "./comparison.ts";
import { commonMean, type MetricValues, metricValues, ownMean, worstClient } from "./metric-values.ts";
import { meanOf, type Spread, spreadOf } from "./spread.ts";
import { ledgerSum, type StoredRound, type StoredRun } from "./stored-run.ts";

/** The sets that a metric covers: the common set; the clients' own sets, with equal weights; the worst client's own set. */
export const VIEWS = ["common", "own", "worst"] as const;
export type View = (typeof VIEWS)[number];

/** A number of a group: the mean over its runs. */
export interface Figure extends Spread {
  /** Mean over the runs of the relative change from the base: −0.12 is 12% less. */
  readonly change: number | undefined;
  /** The range of `min` and `max`: the runs or, on the common set of a group with personal adapters, the adapters. */
  readonly over: "runs" | "adapters";
  /** The worst clients, for `worst` only, the most frequent first. */
  readonly clients: readonly string[];
}

export type Stage = "base" | "final";

const ROUND: Readonly<Record<Stage, (run: StoredRun) => StoredRound | undefined>> = {
  base: baseRound,
  final: lastRound,
};

/** Undefined if no run measured the metric. */
export function figure({ runs, personal }: Group, metric: string, view: View, stage: Stage): Figure | undefined {
  const measured = runs.flatMap((run) => {
    const after = valuesAt(ROUND[stage](run), metric);
    return after === undefined ? [] : [{ after, before: valuesAt(baseRound(run), metric) }];
  });
  const of = measured.flatMap(({ after, before }) => {
    const value = valueOf(after, metric, view);
    return value === undefined ? [] : [{ value, before: before && valueOf(before, metric, view) }];
  });
  const spread = spreadOf(of.map(({ value }) => value));
  if (spread === undefined) return undefined;
  const changes = of.flatMap(({ value, before }) => (before === undefined ? [] : [(value - before) / before]));
  const adapters = view === "common" && personal && stage === "final";
  const all = measured.flatMap(({ after }) => [...after.common.values()]);
  return {
    ...spread,
    ...(adapters && { min: Math.min(...all), max: Math.max(...all) }),
    // Only a loss has a relative change: margins begin at 0, and rewards can be negative.
    change: stage === "base" || metric !== "loss" || changes.length === 0 ? undefined : meanOf(changes),
    over: adapters ? "adapters" : "runs",
    clients: view === "worst" ? byFrequency(measured.flatMap(({ after }) => worstClient(after, metric) ?? [])) : [],
  };
}

/** A view's value of one run. */
export function valueOf(measured: MetricValues, metric: string, view: View): number | undefined {
  if (view === "common") return commonMean(measured);
  return view === "own" ? ownMean(measured) : worstClient(measured, metric)?.value;
}

/** The metric by round, for the rounds that all runs of the group evaluated. */
export function trajectory(
  { runs }: Group,
  metric: string,
  view: View,
): { readonly round: number; readonly spread: Spread }[] {
  const [first] = runs;
  return (first?.rounds ?? []).flatMap(({ round }) => {
    const values = runs.flatMap((run) => {
      const measured = valuesAt(
        run.rounds.find((each) => each.round === round),
        metric,
      );
      return (measured && valueOf(measured, metric, view)) ?? [];
    });
    const spread = values.length === runs.length ? spreadOf(values) : undefined;
    return spread === undefined ? [] : [{ round, spread }];
  });
}

/**
 * The values that a group's final value is the mean of: on own sets, one for each client (its mean over seeds); on the
 * common set, one for each seed or, with personal adapters, one for each client.
 */
export function partsOf(
  { runs, personal }: Group,
  metric: string,
  view: "common" | "own",
): { readonly name: string; readonly value: number }[] {
  const values = new Map<string, number[]>();
  for (const run of runs) {
    for (const [name, value] of valuesAt(lastRound(run), metric)?.[view] ?? []) {
      const part = view === "own" || personal ? name : `seed ${run.seed}`;
      values.set(part, [...(values.get(part) ?? []), value]);
    }
  }
  return [...values].map(([name, of]) => ({ name, value: meanOf(of) }));
}

export interface Cost {
  /** Wall time of the rounds, without evaluations. */
  readonly seconds: Spread;
  readonly bytesUp: Spread;
  readonly bytesDown: Spread;
  /** Bytes up and down as a share of what they were in float32; undefined where no run has a ledger. */
  readonly ofFloat32?: Spread | undefined;
}

/** Undefined if no round is known. A baseline sends nothing: its bytes are 0. */
export function costOf({ runs }: Group): Cost | undefined {
  if (runs.every(({ rounds }) => rounds.length === 0)) return undefined;
  const over = (key: "seconds" | "bytesUp" | "bytesDown"): Spread =>
    spreadOf(runs.map(({ rounds }) => rounds.reduce((sum, round) => sum + round[key], 0)))!;
  const ofFloat32 = spreadOf(runs.flatMap(({ rounds }) => shareOfFloat32(rounds) ?? []));
  return {
    seconds: over("seconds"),
    bytesUp: over("bytesUp"),
    bytesDown: over("bytesDown"),
    ...(ofFloat32 && { ofFloat32 }),
  };
}

/** Undefined where updates and adapters travelled as they are. */
export function shareOfFloat32(rounds: StoredRun["rounds"]): number | undefined {
  const ledger = ledgerSum(rounds);
  if (ledger === undefined) return undefined;
  const bytes = rounds.reduce((sum, { bytesUp, bytesDown }) => sum + bytesUp + bytesDown, 0);
  return bytes / ((ledger.get("upFloat32") ?? 0) + (ledger.get("downFloat32") ?? 0));
}

function valuesAt(round: StoredRound | undefined, metric: string): MetricValues | undefined {
  return round && metricValues(round, metric);
}

function byFrequency(worst: readonly { client: string }[]): string[] {
  const counts = new Map<string, number>();
  for (const { client } of worst) counts.set(client, (counts.get(client) ?? 0) + 1);
  return [...counts.keys()].sort((a, b) => counts.get(b)! - counts.get(a)!);
}
