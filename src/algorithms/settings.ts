import { z } from "zod";

/**
 * Versions of the algorithms. `paper`: as in the papers. `original`: as in OpenFedLLM's code, so that its results can be
 * repeated (docs/decisions/0013-fidelity.md lists every difference).
 */
export const FIDELITIES = ["paper", "original"] as const;
export type Fidelity = (typeof FIDELITIES)[number];

/** A client's weight in an average: its number of records, or the same for all. */
const WEIGHTINGS = ["records", "uniform"] as const;
export type Weighting = (typeof WEIGHTINGS)[number];

/** The weight of a client with a number of records. */
export function weightOf(weighting: Weighting, records: number): number {
  return weighting === "records" ? records : 1;
}

/** A setting that several algorithms read. */
export const WEIGHTING = z
  .enum(WEIGHTINGS)
  .optional()
  .describe(
    "Weight of a client: its number of records, or the same for all. Default: as in the algorithm's paper (docs/algorithms.md).",
  );

const decay = z.number().min(0).lt(1);

/**
 * Settings of the server's step (Reddi et al. 2021, alg. 1 and 2): η, β₁, β₂, τ. An algorithm picks those that it reads.
 */
export const SERVER = z.object({
  learningRate: z
    .number()
    .positive()
    .optional()
    .describe("Step size of the server. Default: the algorithm's own (docs/algorithms.md)."),
  beta1: decay.default(0.9).describe("Momentum of the server."),
  beta2: decay.default(0.99).describe("Decay of the server's second moment."),
  tau: z
    .number()
    .positive()
    .optional()
    .describe("Degree of adaptivity. Default: a tenth of the root mean square of the first round's change."),
});
