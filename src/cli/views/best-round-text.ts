import type { Metric } from "../../evaluation/benchmark.ts";
import { BENCHMARKS } from "../../evaluation/benchmark-registry.ts";
import type { EventOf } from "../../federation/events.ts";
import type { BestAdapter } from "../../experiment/results/summary.ts";
import { metricText } from "../tables/evaluation-tables.ts";
import { counted, formatMetric, metricName, roundText } from "./quantities.ts";
import { oneLine } from "./text-width.ts";

function isBenchmarks(metric: string): boolean {
  return metric.includes("/");
}

/** `held-out loss`, `validation loss`, `GSM8K exact match` */
function measured(metric: string, chosenOn: BestAdapter["chosenOn"] = "reported"): string {
  const known = benchmarkMetric(metric);
  return known === undefined
    ? `${chosenOn === "validation" ? "validation" : "held-out"} ${oneLine(metricName(metric))}`
    : `${known.title} ${known.metric.title}`;
}

function valueText(metric: string, value: number): string {
  const known = benchmarkMetric(metric);
  return known === undefined ? formatMetric(metric, value) : metricText(known.metric, value);
}

function benchmarkMetric(metric: string): { title: string; metric: Metric } | undefined {
  const [name = "", key] = metric.split("/");
  const benchmark = isBenchmarks(metric) ? BENCHMARKS[name] : undefined;
  const found = benchmark?.metrics.find((each) => each.name === key);
  return benchmark && found && { title: benchmark.title, metric: found };
}

/** `stopping after round 5: held-out loss has not improved in 2 evaluations; best 3.612, after round 3` */
export function earlyStopText(event: EventOf<"early-stop">): string {
  const { round, metric, chosenOn, patience, minDelta, bestRound, bestValue } = event;
  const best =
    bestRound === undefined || bestValue === undefined
      ? "no evaluation gave a number"
      : `best ${valueText(metric, bestValue)}, ${roundText(bestRound)}`;
  const name = measured(metric, chosenOn);
  const by = minDelta === 0 ? "" : ` by more than ${minDelta}`;
  return `stopping after round ${round}: ${name} has not improved${by} in ${counted(patience, "evaluation")}; ${best}`;
}

/** `round 3: held-out loss 3.612, mean over the clients` or, of a client's own adapter, `own set`; `start` names round 0. */
export function bestText(
  { metric, over, chosenOn, round, value }: BestAdapter,
  whose: "everyone" | "client",
  start: string,
): string {
  const what = `${round === 0 ? start : `round ${round}`}: ${measured(metric, chosenOn)} ${valueText(metric, value)}`;
  if (isBenchmarks(metric)) return what;
  const where = over === "common" ? "on the common set" : whose === "client" ? "own set" : "mean over the clients";
  return `${what}, ${where}`;
}
