import type { RunEvent } from "../federation/events.ts";
import type { BestAdapter } from "../experiment/summary.ts";
import { counted, formatMetric, metricName } from "./quantities.ts";
import { oneLine } from "./text-width.ts";

function roundText(round: number): string {
  return round === 0 ? "before training" : `after round ${round}`;
}

/** `stopping after round 5: held-out loss has not improved in 2 evaluations; best 3.612, after round 3` */
export function earlyStopText(event: Extract<RunEvent, { type: "early-stop" }>): string {
  const { round, metric, patience, minDelta, bestRound, bestValue } = event;
  const best =
    bestRound === undefined || bestValue === undefined
      ? "no evaluation gave a number"
      : `best ${formatMetric(metric, bestValue)}, ${roundText(bestRound)}`;
  const name = oneLine(metricName(metric));
  const by = minDelta === 0 ? "" : ` by more than ${minDelta}`;
  return `stopping after round ${round}: held-out ${name} has not improved${by} in ${counted(patience, "evaluation")}; ${best}`;
}

/** `round 3: held-out loss 3.612, mean over the clients` or, of a client's own adapter, `own set` */
export function bestText({ metric, over, round, value }: BestAdapter, whose: "everyone" | "client"): string {
  const where = over === "common" ? "on the common set" : whose === "client" ? "own set" : "mean over the clients";
  const when = round === 0 ? "the base" : `round ${round}`;
  return `${when}: held-out ${oneLine(metricName(metric))} ${formatMetric(metric, value)}, ${where}`;
}
