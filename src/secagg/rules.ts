import type { GraphSettings } from "./graph.ts";
import type { Bits } from "./mask.ts";

/** The rules of secure aggregation that all parties of a run have. */
export interface SecureRules extends GraphSettings {
  readonly bits: Bits;
  /** Numbers are limited to ±range. */
  readonly range: number;
  /** Fewest clients whose sum is opened; at least 3. */
  readonly minCohort: number;
  /** Buckets that the clients are dealt to: the sum of each is opened, and no other. Default: one sum of all. */
  readonly buckets?: number | undefined;
  /** Noise that each client adds before it masks. Default: none. */
  readonly noise?: SharedNoise | undefined;
}

/** Noise that is enough in the sum of the fewest honest clients whose sum is opened (Kairouz, Liu and Steinke 2021). */
export interface SharedNoise {
  /** Largest norm of a client's vector. */
  readonly clip: number;
  /** Step γ of the grid. */
  readonly step: number;
  /** Standard deviation of one client's discrete Gaussian noise, in steps of the grid. */
  readonly sigma: number;
  /** The sum is divided by it, whoever is in it. */
  readonly divisor: number;
}
