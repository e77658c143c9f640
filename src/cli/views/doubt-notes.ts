import { overallScore } from "../../federation/evaluation.ts";
import { plannedTraining } from "../../experiment/plan/planned-training.ts";
import type { Prepared } from "../../experiment/prepare.ts";
import type { RunSummary } from "../../experiment/results/summary.ts";
import { heldOutRise, manyPassesAhead, startText } from "../../study/doubts.ts";
import { formatCount } from "./quantities.ts";
import { oneLine } from "./text-width.ts";

/** Clients that get a note of their own. */
const MOST_NOTES = 8;

/** Notes before a run: a line for each client that is going to go often through its records. */
export function doubtsBefore(prepared: Pick<Prepared, "config" | "trainers" | "clients">): string[] {
  const isByEpochs = prepared.config.training.localEpochs !== undefined;
  const notes = plannedTraining(prepared).flatMap(
    ({ name, ...each }) => manyPassesAhead({ client: name, ...each }, isByEpochs) ?? [],
  );
  const rest = notes.length - MOST_NOTES;
  return [
    ...notes.slice(0, MOST_NOTES).map((note) => `note: ${oneLine(note)}`),
    ...(rest > 0 ? [`note: and so do ${formatCount(rest)} more clients`] : []),
  ];
}

/** Notes after a run: a line where the held-out loss rose. */
export function doubtsAfter(
  { heldOut }: Pick<RunSummary, "heldOut">,
  { model }: Pick<Prepared["config"], "model">,
): string[] {
  if (heldOut.length === 0) return [];
  const over = (when: "before" | "after"): number =>
    overallScore(heldOut.map((each) => ({ ...each, loss: each[when], metrics: {} }))).loss;
  const sentence = heldOutRise(over("before"), over("after"), startText(model));
  return sentence === undefined ? [] : [`note: ${sentence}`];
}
