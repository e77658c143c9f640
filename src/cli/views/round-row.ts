import type { Style } from "../output.ts";
import {
  formatChange,
  formatDuration,
  formatLearningRate,
  formatLoss,
  formatMetric,
  trainLossText,
} from "./quantities.ts";
import type { RoundResult } from "./run-progress.ts";
import { padStart } from "./text-width.ts";

export const WIDTHS = {
  round: 8,
  learningRate: 9,
  clients: 9,
  loss: 8,
  heldOut: 10,
  change: 8,
  accuracy: 10,
  time: 7,
} as const;

/** The heading of the rows. It takes 60 columns, or 70 with accuracy. */
export function roundHeading(style: Style, measuresAccuracy = false): string {
  const { round, learningRate, clients, loss, heldOut, change, accuracy, time } = WIDTHS;
  const cells = [
    padStart("round", round),
    padStart("lr", learningRate),
    padStart("clients", clients),
    padStart("train", loss),
    padStart("held-out", heldOut),
    " ".repeat(change),
    ...(measuresAccuracy ? [padStart("accuracy", accuracy)] : []),
    padStart("time", time),
  ];
  return style("dim", cells.join(""));
}

/** The row of a finished round. */
export function roundRow(
  { round, trained, heldOut }: RoundResult,
  rounds: number,
  style: Style,
  measuresAccuracy = false,
): string {
  const accuracy = heldOut?.metrics["accuracy"];
  const clients =
    trained &&
    (trained.refused === 0 ? String(trained.accepted) : `${trained.accepted}/${trained.accepted + trained.refused}`);
  const cells = [
    padStart(round === 0 ? "before" : `${round}/${rounds}`, WIDTHS.round),
    padStart(trained ? formatLearningRate(trained.learningRate) : "", WIDTHS.learningRate),
    padStart(clients ?? "", WIDTHS.clients),
    padStart(trained ? trainLossText(trained.loss) : "", WIDTHS.loss),
    padStart(heldOut ? formatLoss(heldOut.loss) : "", WIDTHS.heldOut),
    padStart(heldOut?.before === undefined ? "" : colouredChange(heldOut.before, heldOut.loss, style), WIDTHS.change),
    ...(measuresAccuracy
      ? [padStart(accuracy === undefined ? "" : formatMetric("accuracy", accuracy), WIDTHS.accuracy)]
      : []),
    padStart(trained ? formatDuration(trained.seconds) : "", WIDTHS.time),
  ];
  return cells.join("").trimEnd();
}

/** The change of a loss: green if it fell, red if it rose. */
export function colouredChange(before: number, after: number, style: Style): string {
  const change = formatChange(before, after);
  if (change.startsWith("-")) return style("green", change);
  return change.startsWith("+") && change !== "+0.0%" ? style("red", change) : change;
}
