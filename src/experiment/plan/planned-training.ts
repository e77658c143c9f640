import type { Prepared } from "../prepare.ts";
import { localSteps } from "../local-trainer.ts";

/** The training of one client in a run that has not begun. */
export interface PlannedTraining {
  readonly name: string;
  /** Training records. */
  readonly records: number;
  /** Optimizer steps in a round. */
  readonly steps: number;
  /** Rounds that it takes part in; their mean, where clients are drawn. */
  readonly rounds: number;
  /** Times that it goes through its records in the whole run. */
  readonly passes: number;
}

/** The training of every client that has records. */
export function plannedTraining({
  config: { federation, training },
  trainers,
  clients,
}: Pick<Prepared, "config" | "trainers" | "clients">): PlannedTraining[] {
  const drawn = Math.min(federation.clientsPerRound ?? clients.length, clients.length);
  // One client with the records of all takes part in every round, with the steps of all that would be drawn.
  const isPooled = trainers.length < clients.length;
  const share = isPooled ? { clients: drawn, of: clients.length } : { clients: 1, of: 1 };
  const rounds = isPooled ? federation.rounds : (federation.rounds * drawn) / clients.length;
  const perStep = training.batchSize * training.gradientAccumulation;
  return trainers.flatMap(({ name, train: { length: records } }) => {
    if (records === 0) return [];
    const steps = localSteps(training, records, share);
    return [{ name, records, steps, rounds, passes: (rounds * steps * perStep) / records }];
  });
}
