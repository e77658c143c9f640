import { betterWay } from "../settings/metric-names.ts";
import { lastRound } from "./comparison.ts";
import { commonMean, metricValues, ownMean } from "./metric-values.ts";
import type { StoredRun } from "./stored-run.ts";
import type { Candidate, Method, Setting, TuneRule } from "./sweep.ts";

/** One combination of a grid. */
export interface Trial {
  readonly values: readonly Setting[];
  /** The metric on the validation part at the run's end; undefined if the run is not finished or has no such score. */
  readonly value: number | undefined;
}

/** What the tuning of one method found. */
export interface TunedMethod {
  readonly name: string;
  readonly trials: readonly Trial[];
  /** Number of the chosen trial; undefined while a run is missing, or if no value is finite. */
  readonly chosen: number | undefined;
  /** Settings whose chosen value is the lowest or the highest of theirs: a value beyond it may be better. */
  readonly atEdge: readonly string[];
}

/** The tuning of a sweep. */
export interface Tuning extends TuneRule {
  readonly methods: readonly TunedMethod[];
}

/** The value of the rule's metric at the end of a run: lower or higher is better, as the metric says. */
function trialValue(run: StoredRun, { metric, over }: TuneRule): number | undefined {
  const round = run.finished ? lastRound(run) : undefined;
  const values = round && metricValues(round, metric);
  if (values === undefined) return undefined;
  if (over !== undefined) return over === "common" ? commonMean(values) : ownMean(values);
  return commonMean(values) ?? ownMean(values);
}

/**
 * Chooses the best combination of a method's grid, the first of equals. `runOf` gives a candidate's run, or undefined if
 * there is none. `failed` candidates have no value and do not hinder the choice, as a learning rate that is too high may.
 */
export function tuneMethod(
  { name, candidates }: Method,
  rule: TuneRule,
  runOf: (candidate: Candidate) => StoredRun | undefined,
  failed: ReadonlySet<Candidate> = new Set(),
): TunedMethod {
  const runs = candidates.map(runOf);
  const trials = candidates.map(({ values }, i): Trial => {
    const run = runs[i];
    return { values, value: run && trialValue(run, rule) };
  });
  const complete = candidates.every((candidate, i) => failed.has(candidate) || runs[i]?.finished === true);
  const sign = betterWay(rule.metric) === "higher" ? -1 : 1;
  const best = trials.reduce<number | undefined>((found, { value }, i) => {
    if (value === undefined || !Number.isFinite(value)) return found;
    return found === undefined || sign * value < sign * trials[found]!.value! ? i : found;
  }, undefined);
  const chosen = complete ? best : undefined;
  return { name, trials, chosen, atEdge: chosen === undefined ? [] : edgesOf(trials, trials[chosen]!) };
}

/** Settings of numbers, with at least two values, whose value in `chosen` is the lowest or the highest. */
function edgesOf(trials: readonly Trial[], chosen: Trial): string[] {
  return chosen.values.flatMap(([key, value]) => {
    const all = [...new Set(trials.map(({ values }) => values.find(([other]) => other === key)![1]))];
    const numbers = all.filter((each) => typeof each === "number");
    if (numbers.length < all.length || numbers.length < 2) return [];
    return value === Math.min(...numbers) || value === Math.max(...numbers) ? [key] : [];
  });
}

/** True for a run whose learning rate was chosen by the tuning. */
export function hasTunedRate({ methods }: Tuning, { name, seed }: Pick<StoredRun, "name" | "seed">): boolean {
  return methods.some(
    (method) =>
      name === `${method.name}-seed${seed}` &&
      method.trials.some(({ values }) => values.some(([key]) => key === "training.learningRate")),
  );
}
