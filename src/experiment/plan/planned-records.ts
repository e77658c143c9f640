import { filterEpsilon } from "../../privacy/renyi-filter.ts";
import { rdpOfSampledGaussian } from "../../privacy/rdp.ts";
import type { Prepared } from "../prepare.ts";
import { noiseOf } from "../record-ledger.ts";
import { stepsOf } from "../round-steps.ts";

/** The privacy of one client's records as a run plans it. */
export interface PlannedRecords {
  readonly client: string;
  readonly records: number;
  /** Probability that a record is in a step. */
  readonly rate: number;
  /** Local steps of all rounds. */
  readonly steps: number;
  readonly noiseMultiplier: number;
  /** ε after all rounds, and its budget. */
  readonly epsilon: number;
  readonly budget: number;
  readonly delta: number;
  /** The norm of the noise on a step's mean gradient over the largest norm of that mean. */
  readonly noiseToSignal: number;
}

/** Plans the privacy of records, where the settings ask for it. @param length numbers in a gradient. */
export function plannedRecords(prepared: Prepared, length: number): readonly PlannedRecords[] {
  const { config, trainers } = prepared;
  const privacy = config.privacy?.record;
  if (privacy === undefined) return [];
  const { epsilon: budget, delta } = privacy;
  return trainers.map(({ name, train }) => {
    const { rate, steps: ofRound } = stepsOf(prepared, name);
    const steps = ofRound * config.federation.rounds;
    const { noiseMultiplier, order } = noiseOf(privacy, rate, steps);
    const spent = steps * rdpOfSampledGaussian(rate, noiseMultiplier, order);
    return {
      client: name,
      records: train.length,
      rate,
      steps,
      noiseMultiplier,
      epsilon: filterEpsilon({ order }, spent, delta),
      budget,
      delta,
      noiseToSignal: (noiseMultiplier * Math.sqrt(length)) / (rate * train.length),
    };
  });
}
