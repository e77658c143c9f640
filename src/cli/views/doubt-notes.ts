import { overallScore } from "../../federation/evaluation.ts";
import { plannedTraining } from "../../experiment/plan/planned-training.ts";
import { dealtToChoose, FEWEST_TO_DEAL } from "../../experiment/records/choosing-part.ts";
import { COMMON_SET } from "../../experiment/records/client-records.ts";
import { bestBy } from "../../experiment/evaluation/best-round.ts";
import type { Prepared } from "../../experiment/prepare.ts";
import type { RunSummary } from "../../experiment/results/summary.ts";
import { CHOSEN_ON_REPORTED, heldOutRise, manyPassesAhead, startText } from "../../study/doubts.ts";
import { formatCount } from "./quantities.ts";
import { oneLine } from "./text-width.ts";

/** Clients that get a note of their own. */
const MOST_NOTES = 8;

/** Notes before a run: on the records that choose its best round, and on clients that go often through their records. */
export function doubtsBefore(prepared: Pick<Prepared, "config" | "trainers" | "clients" | "common">): string[] {
  const isByEpochs = prepared.config.training.localEpochs !== undefined;
  const notes = plannedTraining(prepared).flatMap(
    ({ name, ...each }) => manyPassesAhead({ client: name, ...each }, isByEpochs) ?? [],
  );
  const rest = notes.length - MOST_NOTES;
  return [
    ...choiceNote(prepared),
    ...notes.slice(0, MOST_NOTES).map((note) => `note: ${oneLine(note)}`),
    ...(rest > 0 ? [`note: and so do ${formatCount(rest)} more clients`] : []),
  ];
}

function choiceNote({ config, clients, common }: Pick<Prepared, "config" | "clients" | "common">): string[] {
  const by = bestBy(config);
  if (by === undefined || by.metric.includes("/") || config.evaluation.validation !== undefined) return [];
  const sets = [...clients.map(({ name, heldOut }) => [name, heldOut] as const), [COMMON_SET, common] as const];
  if (sets.some(([set, heldOut]) => dealtToChoose(set, heldOut, config) !== undefined)) {
    return [
      `note: the best round is chosen on half of each held-out set of ${FEWEST_TO_DEAL} records or more, and the other half is reported (evaluation.validation)`,
    ];
  }
  return [
    "note: the best round is chosen on the records that are reported; a run with evaluation.validation has others to choose by",
  ];
}

/** Notes after a run: a line where the held-out loss rose, and where what is reported has chosen the best round. */
export function doubtsAfter(
  { heldOut, best, clientBests = {} }: Pick<RunSummary, "heldOut" | "best" | "clientBests">,
  { model }: Pick<Prepared["config"], "model">,
): string[] {
  const bests = [...(best === undefined ? [] : [best]), ...Object.values(clientBests)];
  const chosen = bests.some(({ chosenOn }) => chosenOn === "reported") ? [`note: ${CHOSEN_ON_REPORTED}`] : [];
  if (heldOut.length === 0) return chosen;
  const over = (when: "before" | "after"): number =>
    overallScore(heldOut.map((each) => ({ ...each, loss: each[when], metrics: {} }))).loss;
  const sentence = heldOutRise(over("before"), over("after"), startText(model));
  return [...(sentence === undefined ? [] : [`note: ${sentence}`]), ...chosen];
}
