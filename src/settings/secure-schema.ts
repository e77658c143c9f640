import { z } from "zod";
import { count, positive } from "./schema-parts.ts";

/** Secure aggregation (`secureAggregation`). Absent: off. */
export const secureSchema = z.strictObject({
  bits: z
    .union([z.literal(16), z.literal(32)])
    .default(32)
    .describe("Bits of a number that is sent. 16 halves the bytes, for small cohorts."),
  range: positive
    .optional()
    .describe(
      "Largest change of a number; a larger one is cut to it. A smaller range makes a finer grid. Default: the largest norm of the clip that is set (privacy.client.clip, the stage clip), otherwise 1.",
    ),
  neighbours: z
    .int()
    .min(2)
    .max(254)
    .optional()
    .describe(
      "Number of clients that a client shares secrets with. Default: all of a round up to 100 clients, above that the fewest that 10% dishonest and 10% lost clients allow.",
    ),
  threshold: count
    .optional()
    .describe(
      "Number of clients that have to give their shares to open a sum. Default: more than half of those that hold shares, more than two thirds with active.",
    ),
  minCohort: z
    .int()
    .min(3)
    .default(10)
    .describe("Fewest clients whose sum is opened. The sum of few clients tells more of each."),
  active: z
    .boolean()
    .default(false)
    .describe(
      "Guard against a coordinator that lies, too: clients sign whose updates are in the sum before they open it.",
    ),
});

export type SecureSettings = z.output<typeof secureSchema>;
