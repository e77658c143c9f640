import { nearest } from "../../diagnostics/nearest.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import type { EarlyStop, StopRule } from "../../federation/early-stop.ts";
import { scoresBySet } from "../../federation/evaluation.ts";
import type { EvaluationScore, RoundEvaluation } from "../../federation/protocol/messages.ts";
import type { BestAdapter } from "../results/summary.ts";
import { COMMON_SET } from "../records/client-records.ts";
import { betterWay, LOSS } from "../../settings/metric-names.ts";
import type { ExperimentConfig } from "../../settings/schema.ts";

type Over = BestAdapter["over"];
type ChosenOn = BestAdapter["chosenOn"];

/** The measure of the best round. */
export interface BestBy {
  readonly metric: string;
  /** Default: the common set where it has the metric, otherwise the mean over the other sets, each weighing the same. */
  readonly over?: Over | undefined;
}

/** A metric after one round. */
export interface RoundValue {
  readonly round: number;
  readonly value: number;
}

/** Undefined where no best round is asked for. */
export function bestBy({ evaluation: { best, earlyStopping } }: ExperimentConfig): BestBy | undefined {
  const metric = best.metric ?? (earlyStopping.patience === undefined ? undefined : LOSS);
  return metric === undefined ? undefined : { metric, over: best.over };
}

/**
 * True where the best round is to be chosen on validation parts of the held-out sets: those of `evaluation.validation`, or
 * halves of the sets that are large enough (`dealtToChoose`).
 */
export function choosesOnValidation(config: ExperimentConfig): boolean {
  const { validation, part } = config.evaluation;
  const by = bestBy(config);
  return by !== undefined && !by.metric.includes("/") && (validation === undefined || part !== "validation");
}

/** A metric after each evaluated round, and where it was taken. */
interface RoundValues {
  readonly over: Over;
  /** On validation parts, or on what is reported too. */
  readonly chosenOn: ChosenOn;
  readonly values: readonly RoundValue[];
}

/**
 * The metric after each evaluated round: on the validation parts, where the first evaluation has them. `client`: of that
 * client's own adapter, `clients` being its own set. A round without it is left out; a value that is not finite stays.
 */
export function roundValues(by: BestBy, evaluations: readonly RoundEvaluation[], client?: string): RoundValues {
  const { metric } = by;
  if (metric.includes("/")) {
    return { over: "common", chosenOn: "reported", values: benchmarkValues(metric, evaluations, client) };
  }
  if (evaluations[0]?.validation !== undefined) {
    const parts = evaluations.map(({ round, validation = [] }) => ({ round, scores: validation }));
    const found = heldOutValues(by, parts, client);
    if (found.values.length > 0) return { ...found, chosenOn: "validation" };
  }
  return { ...heldOutValues(by, evaluations, client), chosenOn: "reported" };
}

function heldOutValues(
  { metric, over }: BestBy,
  evaluations: readonly Pick<RoundEvaluation, "round" | "scores">[],
  client?: string,
): Pick<RoundValues, "over" | "values"> {
  const taken = evaluations.map(({ round, scores }) => {
    const of = (set: string): boolean => client === undefined || set === client || set === COMMON_SET;
    const whose = (scored: string | undefined): boolean =>
      client === undefined || scored === undefined || scored === client;
    const own = scores.filter((score) => of(score.set) && whose(score.client));
    const found = scoresBySet(own).flatMap((score) => {
      const value = valueOf(score, metric);
      return value === undefined ? [] : [{ over: score.set === COMMON_SET ? ("common" as const) : "clients", value }];
    });
    return { round, found };
  });
  const common = taken.some(({ found }) => found.some((each) => each.over === "common"));
  const chosen = over ?? (common ? "common" : "clients");
  const values = taken.flatMap(({ round, found }) => {
    const own = found.filter((each) => each.over === chosen);
    return own.length === 0 ? [] : [{ round, value: own.reduce((sum, { value }) => sum + value, 0) / own.length }];
  });
  return { over: chosen, values };
}

/** `gsm8k/exactMatch`: the global adapter's or, where clients keep their own, one client's or the mean of all. */
function benchmarkValues(metric: string, evaluations: readonly RoundEvaluation[], client?: string): RoundValue[] {
  const [benchmark, name] = [metric.slice(0, metric.indexOf("/")), metric.slice(metric.indexOf("/") + 1)];
  return evaluations.flatMap(({ round, benchmarks = [] }) => {
    const values = benchmarks
      .filter((score) => score.benchmark === benchmark)
      .filter((score) => client === undefined || score.client === undefined || score.client === client)
      .flatMap(({ metrics }) => metrics[name] ?? []);
    return values.length === 0 ? [] : [{ round, value: values.reduce((sum, value) => sum + value, 0) / values.length }];
  });
}

function valueOf({ loss, metrics }: EvaluationScore, metric: string): number | undefined {
  return metric === LOSS ? loss : metrics?.[metric];
}

/** The best; of equal ones the earliest. A value that is not finite is never best. */
export function bestRound(metric: string, values: readonly RoundValue[]): RoundValue | undefined {
  return values.reduce<RoundValue | undefined>(
    (best, each) => (improves(metric, each.value, best?.value, 0) ? each : best),
    undefined,
  );
}

/**
 * True where, after some round, `patience` evaluations in a row were no better than the best before them by more than
 * `minDelta`. A smaller improvement does not change the value that is compared with, so small ones add up.
 */
export function hasRunOut(
  metric: string,
  values: readonly RoundValue[],
  { patience, minDelta }: { readonly patience: number; readonly minDelta: number },
): boolean {
  let reference: number | undefined;
  let waited = 0;
  for (const [i, { value }] of values.entries()) {
    if (improves(metric, value, reference, minDelta)) {
      reference = value;
      waited = 0;
    } else if (i > 0) waited++;
    if (waited >= patience) return true;
  }
  return false;
}

function improves(metric: string, value: number, than: number | undefined, minDelta: number): boolean {
  if (!Number.isFinite(value)) return false;
  if (than === undefined) return true;
  return (betterWay(metric) === "lower" ? than - value : value - than) > minDelta;
}

/**
 * The rule of `evaluation.earlyStopping`, which also refuses a metric of `evaluation.best` that evaluations do not give;
 * undefined where neither is asked for.
 */
export function stopRule(config: ExperimentConfig): StopRule | undefined {
  const by = bestBy(config);
  if (by === undefined) return undefined;
  const { patience, minDelta } = config.evaluation.earlyStopping;
  return (evaluations): EarlyStop | undefined => {
    const { values, chosenOn } = roundValues(by, evaluations);
    if (values.length === 0) throw notMeasured(by, evaluations);
    if (patience === undefined || !hasRunOut(by.metric, values, { patience, minDelta })) return undefined;
    const on = chosenOn === "validation" ? { chosenOn } : {};
    return { metric: by.metric, ...on, patience, minDelta, best: bestRound(by.metric, values) };
  };
}

function notMeasured({ metric, over }: BestBy, evaluations: readonly RoundEvaluation[]): UserError {
  const scores = evaluations.flatMap((evaluation) => evaluation.scores);
  if (scores.length === 0 && evaluations.some(({ withheld = [] }) => withheld.length > 0) && !metric.includes("/")) {
    return new UserError("config", `there is no best round by ${metric}: the sites withhold their scores`, {
      hint: "Set data.heldOut, or leave evaluation.best and evaluation.earlyStopping out.",
    });
  }
  if (scores.length === 0 && !metric.includes("/")) {
    return new UserError(
      "config",
      `there is no best round by ${metric}: nothing is measured, as no record is held out`,
      {
        hint: "Set data.heldOut, data.heldOutRecords or a client's heldOut, or leave evaluation.best and evaluation.earlyStopping out.",
      },
    );
  }
  const names = [...new Set([LOSS, ...scores.flatMap(({ metrics = {} }) => Object.keys(metrics))])];
  if (over !== undefined && names.includes(metric)) {
    const other = over === "common" ? "clients" : "common";
    return new UserError("config", `evaluation.best.over is "${over}", but ${metric} is not measured there`, {
      hint: `Take evaluation.best.over: ${other}.`,
    });
  }
  const near = nearest(metric, names);
  return new UserError("config", `evaluation.best.metric is "${metric}", which no evaluation measured`, {
    hint: near === undefined ? `They measured ${names.join(", ")}.` : `Did you mean '${near}'?`,
  });
}
