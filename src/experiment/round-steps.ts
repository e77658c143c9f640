import { UserError } from "../diagnostics/user-error.ts";
import { filterFor } from "../privacy/renyi-filter.ts";
import { localSteps, type ShareOfWork } from "./local-trainer.ts";
import type { Objective } from "../train/objective.ts";
import type { ExperimentConfig } from "../settings/schema.ts";
import type { RoundSteps } from "./record-ledger.ts";

/** The part of a prepared experiment that is looked at here. */
interface Trainers {
  readonly config: ExperimentConfig;
  readonly trainers: readonly {
    readonly name: string;
    readonly train: readonly unknown[];
    readonly clients: readonly unknown[];
  }[];
}

/** One client that holds the records of all does the work of a round's clients. */
export function shareOfWork({ config, trainers }: Trainers): ShareOfWork {
  const of = trainers[0]?.clients.length ?? 1;
  return { clients: Math.min(config.federation.clientsPerRound ?? of, of), of };
}

/** The steps of a trainer's round where its records are drawn by coins: on average a step has the batch of the settings. */
export function stepsOf(prepared: Trainers, trainer: string): RoundSteps {
  const { training } = prepared.config;
  const { train } = prepared.trainers.find(({ name }) => name === trainer)!;
  const rate = Math.min(1, (training.batchSize * training.gradientAccumulation) / train.length);
  return { rate, steps: localSteps(training, train.length, shareOfWork(prepared)) };
}

/**
 * Checks that the privacy of records can be had with the records of each trainer.
 *
 * @throws UserError of kind `config` for a δ that would allow to publish a record whole, a noise multiplier with which not one
 * round fits in the budget, and an objective whose loss of a record depends on others.
 */
export function checkRecordPrivacy(prepared: Trainers & { readonly objective: Objective }): void {
  const { config, trainers, objective } = prepared;
  const privacy = config.privacy?.record;
  if (privacy === undefined) return;
  if (objective.overBatch !== undefined) {
    throw new UserError(
      "config",
      `Objective ${objective.name} and privacy.record exclude each other: ${objective.overBatch}.`,
      { hint: "Take an objective with which a record has a loss of its own, such as sft or dpo." },
    );
  }
  const { epsilon, delta, noiseMultiplier } = privacy;
  if (filterFor({ rate: 1, noiseMultiplier: Number.MAX_SAFE_INTEGER }, { epsilon, delta }).steps === 0) {
    throw new UserError(
      "config",
      `privacy.record.epsilon is ${epsilon}, and at privacy.record.delta ${delta} no noise is enough for it`,
      {
        hint: "Raise one of them. Budgets are from 0.1 to 10 as a rule.",
      },
    );
  }
  for (const { name, train } of trainers) {
    if (delta * train.length >= 1) {
      throw new UserError(
        "config",
        `privacy.record.delta is ${delta}; with the ${train.length} records of client ${name} it must be below ${Number((1 / train.length).toPrecision(3))}`,
        { hint: "With δ at 1/records, one record could be published whole. Take a tenth of that, or less." },
      );
    }
    const { rate, steps } = stepsOf(prepared, name);
    if (noiseMultiplier === undefined || filterFor({ rate, noiseMultiplier }, { epsilon, delta }).steps >= steps)
      continue;
    throw new UserError(
      "config",
      `privacy.record.noiseMultiplier is ${noiseMultiplier}: one round of client ${name} costs more than privacy.record.epsilon ${epsilon}`,
      { hint: "Raise one of them, or leave privacy.record.noiseMultiplier out." },
    );
  }
}
