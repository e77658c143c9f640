import { z } from "zod";
import { recordPrivacySchema } from "./record-privacy.ts";
import { positive } from "./schema-parts.ts";

/** The parties that may add the noise of `privacy.client`. */
export const MECHANISMS = ["central", "local", "distributed", "ftrl"] as const;

/** Settings of the privacy of clients (`privacy.client`). */
const clientPrivacySchema = z.strictObject({
  epsilon: positive
    .default(8)
    .describe("Budget ε of each client over the whole run. A client that has spent it takes part in no more rounds."),
  delta: positive.lt(1).optional().describe("δ of the guarantee, less than 1/clients. Default: 1/(10·clients)."),
  clip: z
    .union([
      positive,
      z.strictObject({
        start: positive.default(0.1).describe("Clip of the first round."),
        quantile: z.number().gt(0).lt(1).default(0.5).describe("Share of the updates that shall stay unclipped."),
        rate: positive
          .max(2)
          .default(0.2)
          .describe("Speed of the clip: its logarithm moves by rate times the difference."),
      }),
    ])
    .default(1)
    .describe(
      "Largest L2 norm of a client's change of the adapter, over all LoRA tensors together: a number, or settings of a clip that follows the norms, such as { start: 0.1 }.",
    ),
  noiseMultiplier: positive
    .optional()
    .describe(
      "Standard deviation of the noise on the sum of a round, as a multiple of the clip. Default: the smallest with which all rounds fit in epsilon.",
    ),
  mechanism: z
    .enum(MECHANISMS)
    .default("central")
    .describe(
      "Party that adds the noise. central: the coordinator, once on the sum. local: each client on its own update, before it sends it. distributed: the clients together, under secure aggregation. ftrl: the coordinator, correlated over rounds.",
    ),
  weightCap: z
    .int()
    .min(1)
    .optional()
    .describe(
      "Number of records with which a client counts fully. Its change is multiplied by records/weightCap, at most 1. Default: all count alike.",
    ),
  controlScale: positive
    .optional()
    .describe(
      "Factor on the change of scaffold's control variate within the clip: about the norm of the adapter's change over the norm of the control variate's. Default: 1.",
    ),
  sampling: z
    .enum(["public", "secret"])
    .default("public")
    .describe("Draw of a round's clients. public: it is known who takes part, and nothing is claimed for the draw."),
});

export type ClientPrivacySettings = z.output<typeof clientPrivacySchema>;

/** Differential privacy. Absent: off. */
export const privacySchema = z.strictObject({
  client: clientPrivacySchema.optional(),
  record: recordPrivacySchema.optional(),
});
