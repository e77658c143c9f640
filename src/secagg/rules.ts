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
}
