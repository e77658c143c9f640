import { overallScore } from "../../federation/evaluation.ts";
import { localSteps } from "../../experiment/local-trainer.ts";
import type { Prepared } from "../../experiment/prepare.ts";
import type { RunSummary } from "../../experiment/results/summary.ts";
import { heldOutRise, manyPassesAhead } from "../../study/doubts.ts";
import { plannedPasses } from "../../study/run-figures.ts";
import { formatCount } from "./quantities.ts";
import { oneLine } from "./text-width.ts";

/** Clients that get a note of their own. */
const MOST_NOTES = 8;

/** Notes before a run: a line for each client that is going to go often through its records. */
export function doubtsBefore({
  config,
  trainers,
  clients,
}: Pick<Prepared, "config" | "trainers" | "clients">): string[] {
  const { federation, training } = config;
  const drawn = Math.min(federation.clientsPerRound ?? clients.length, clients.length);
  // One client with the records of all takes part in every round, with the steps of all that would be drawn.
  const isPooled = trainers.length < clients.length;
  const share = isPooled ? { clients: drawn, of: clients.length } : { clients: 1, of: 1 };
  const planned = trainers.map(({ name, train: { length: records } }) => ({
    name,
    records,
    steps: localSteps(training, records, share),
  }));
  const passes = plannedPasses(planned, {
    recordsPerStep: training.batchSize * training.gradientAccumulation,
    rounds: isPooled ? federation.rounds : (federation.rounds * drawn) / clients.length,
  });
  const notes = passes.flatMap((each) => manyPassesAhead(each, training.localEpochs !== undefined) ?? []);
  const rest = notes.length - MOST_NOTES;
  return [
    ...notes.slice(0, MOST_NOTES).map((note) => `note: ${oneLine(note)}`),
    ...(rest > 0 ? [`note: and so do ${formatCount(rest)} more clients`] : []),
  ];
}

/** Notes after a run: a line where the held-out loss rose. */
export function doubtsAfter({ heldOut }: Pick<RunSummary, "heldOut">): string[] {
  if (heldOut.length === 0) return [];
  const over = (when: "before" | "after"): number =>
    overallScore(heldOut.map((each) => ({ ...each, loss: each[when], metrics: {} }))).loss;
  const sentence = heldOutRise(over("before"), over("after"));
  return sentence === undefined ? [] : [`note: ${sentence}`];
}
