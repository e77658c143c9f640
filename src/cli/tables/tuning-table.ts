import { valueTexts } from "../../study/setting-texts.ts";
import type { Setting } from "../../study/sweep.ts";
import type { Trial, Tuning } from "../../study/tuning.ts";
import { metricName } from "../views/quantities.ts";
import { oneLine } from "../views/text-width.ts";
import { formatValue } from "./comparison-tables.ts";
import type { Cell, Table } from "./tables.ts";

/** The grid of each method: a row for each combination of all settings but the first, which has the columns. */
export function tuningTable({ metric, over, methods }: Tuning): Table | undefined {
  const first = methods.find(({ trials }) => trials.length > 0)?.trials[0]?.values[0]?.[0];
  if (first === undefined) return undefined;
  const all = methods.flatMap(({ trials }) => trials);
  const across = [...new Set(all.map((trial) => settingOf(trial, first)))].sort(byNumber);
  const others = [...new Set(all.flatMap(({ values }) => values.map(([key]) => key)))].filter((key) => key !== first);
  const texts = new Map(others.map((key) => [key, textsOf(key, all)]));
  const rows = methods.flatMap(({ name, trials, chosen }) => {
    const rest = (trial: Trial): string => JSON.stringify(others.map((key) => settingOf(trial, key) ?? null));
    return [...new Set(trials.map(rest))].map((row, i): Cell[] => {
      const own = trials.filter((trial) => rest(trial) === row);
      return [
        { text: i === 0 ? oneLine(name) : "" },
        ...others.map((key) => ({ text: texts.get(key)!.get(settingOf(own[0]!, key)) ?? "" })),
        ...across.map((value): Cell => {
          const trial = own.find((each) => settingOf(each, first) === value);
          if (trial === undefined) return { text: "" };
          return {
            text: trial.value === undefined ? "–" : formatValue(metric, trial.value),
            best: chosen !== undefined && trial === trials[chosen],
          };
        }),
      ];
    });
  });
  const where = over === undefined ? "" : over === "common" ? ", common set" : ", own sets, mean";
  return {
    title: `tuning: ${metricName(metric)} on the validation part${where}, by ${first}`,
    columns: [
      { header: "run", right: false },
      ...others.map((key) => ({ header: key, right: true })),
      ...valueTexts(first, across).map((header) => ({ header, right: true })),
    ],
    rows,
  };
}

/** Notes under the grid. */
export function tuningNotes({ methods }: Tuning): string[] {
  const edges = methods.filter(({ atEdge }) => atEdge.length > 0);
  const open = methods.filter(({ chosen }) => chosen === undefined);
  return [
    "tuning: each run has its own values, chosen (marked) on records that are neither trained on nor in the tables above; –: no score.",
    ...edges.map(
      ({ name, atEdge }) =>
        `${oneLine(name)}: the chosen ${atEdge.join(" and ")} is at the edge of the grid; a value beyond it may be better.`,
    ),
    ...(open.length > 0 ? [`Not tuned to the end: ${open.map(({ name }) => oneLine(name)).join(", ")}.`] : []),
  ];
}

function settingOf({ values }: Trial, key: string): unknown {
  return values.find(([other]: Setting) => other === key)?.[1];
}

function textsOf(key: string, trials: readonly Trial[]): ReadonlyMap<unknown, string> {
  const values = [...new Set(trials.map((trial) => settingOf(trial, key)))].filter((value) => value !== undefined);
  const texts = valueTexts(key, values);
  return new Map(values.map((value, i) => [value, texts[i]!]));
}

function byNumber(a: unknown, b: unknown): number {
  return typeof a === "number" && typeof b === "number" ? a - b : 0;
}
