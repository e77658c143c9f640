/**
 * `paper`: what the papers say. `original`: what OpenFedLLM does as coded, so that its results can be repeated
 * (docs/decisions/0013-fidelity.md lists every difference).
 */
export const FIDELITIES = ["paper", "original"] as const;
export type Fidelity = (typeof FIDELITIES)[number];

/** What a client counts for in an average: its number of records, or as much as any other. */
export const WEIGHTINGS = ["records", "uniform"] as const;
export type Weighting = (typeof WEIGHTINGS)[number];

/** What a client of so many records counts for. */
export function weightOf(weighting: Weighting, records: number): number {
  return weighting === "records" ? records : 1;
}

/** Every number an algorithm may need; each says in its own file which it uses, and what holds where one is not set. */
export interface AlgorithmSettings {
  readonly fidelity: Fidelity;
  readonly weighting?: Weighting | undefined;
  /** FedProx's μ. */
  readonly proxMu: number;
  readonly server: ServerSettings;
}

/** The server optimizer (Reddi et al. 2021, alg. 1 and 2). */
export interface ServerSettings {
  /** η, the step size. */
  readonly learningRate?: number | undefined;
  /** Decay of the momentum. */
  readonly beta1: number;
  /** Decay of the second moment. */
  readonly beta2: number;
  /** τ, the degree of adaptivity, in the unit of a weight. */
  readonly tau?: number | undefined;
}
