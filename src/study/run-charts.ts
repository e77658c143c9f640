import { overallScore } from "../federation/evaluation.ts";
import type { NamedChart } from "./charts.ts";
import { lineChart, type LineSeries } from "./line-chart.ts";
import { scoresOfRound } from "./run-figures.ts";
import { spreadOf } from "./spread.ts";
import type { StoredRun } from "./stored-run.ts";

/** Largest number of lines in a chart. Of more, the mean, the lowest and the highest are drawn. */
const MOST_LINES = 10;

/** A number for each name (a client, a held-out set) after some rounds. */
export interface Curves {
  readonly names: readonly string[];
  readonly rounds: readonly {
    readonly round: number;
    readonly values: ReadonlyMap<string, number>;
    /** The value over all names, as the run reports it. */
    readonly overall: number | undefined;
  }[];
}

/** The mean training loss of each client in each round. `order`: of the clients, so that charts give them the same colours. */
export function trainingCurves({ rounds }: StoredRun, order: readonly string[]): Curves {
  const curves = curvesOf(
    rounds
      .filter(({ clients }) => clients.size > 0)
      .map(({ round, clients, loss }) => ({
        round,
        values: new Map([...clients].flatMap(([client, { loss: own }]) => (own === undefined ? [] : [[client, own]]))),
        overall: loss,
      })),
  );
  const known = order.filter((name) => curves.names.includes(name));
  return { ...curves, names: [...known, ...curves.names.filter((name) => !known.includes(name))] };
}

/** A held-out metric of each set after each evaluated round. */
export function heldOutCurves({ rounds }: StoredRun, metric: string): Curves {
  return curvesOf(
    rounds.flatMap((round) => {
      const scores = scoresOfRound(round);
      const found = scores.flatMap(({ set, loss, metrics = {} }) => {
        const value = metric === "loss" ? loss : metrics[metric];
        return value === undefined ? [] : [[set, value] as const];
      });
      if (found.length === 0) return [];
      const { loss, metrics } = overallScore(scores);
      return [{ round: round.round, values: new Map(found), overall: metric === "loss" ? loss : metrics[metric] }];
    }),
  );
}

/** The bytes of each round up and down. */
export function byteCurves({ rounds }: StoredRun): Curves {
  const played = rounds.filter(({ clients }) => clients.size > 0);
  return curvesOf(
    played.map(({ round, bytesUp, bytesDown }) => ({
      round,
      values: new Map([
        ["up", bytesUp],
        ["down", bytesDown],
      ]),
      overall: undefined,
    })),
  );
}

function curvesOf(rounds: Curves["rounds"]): Curves {
  return { rounds, names: [...new Set(rounds.flatMap(({ values }) => [...values.keys()]))] };
}

/** Draws curves over rounds: a line for each name, or the mean with a band from the lowest to the highest. */
export function curvesChart(
  { names, rounds }: Curves,
  { title, unit, percent = false }: { readonly title: string; readonly unit: string; readonly percent?: boolean },
): Pick<NamedChart, "title" | "svg"> {
  const overall: LineSeries = {
    label: "all",
    points: rounds.flatMap(({ round, overall: y }) => (y === undefined ? [] : [{ x: round, y, min: y, max: y }])),
  };
  const line = (name: string): LineSeries => ({
    label: name,
    points: rounds.flatMap(({ round, values }) => {
      const y = values.get(name);
      return y === undefined ? [] : [{ x: round, y, min: y, max: y }];
    }),
  });
  const banded: LineSeries = {
    label: "mean",
    points: rounds.flatMap(({ round, values }) => {
      const spread = spreadOf([...values.values()].filter(Number.isFinite));
      return spread === undefined ? [] : [{ x: round, y: spread.mean, min: spread.min, max: spread.max }];
    }),
  };
  const many = names.length > MOST_LINES;
  const series = many ? [banded] : names.length === 1 ? names.map(line) : [...names.map(line), overall];
  const facts = [unit, ...(many ? [`band: lowest to highest of ${names.length}`] : [])];
  const svg = lineChart({
    title,
    subtitle: facts.filter(Boolean).join("; "),
    xLabel: "round",
    percent,
    series,
    reference: undefined,
  });
  return { title, svg };
}
