import { z } from "zod";
import { positive } from "./schema-parts.ts";

/** Settings of the privacy of records (`privacy.record`). */
export const recordPrivacySchema = z.strictObject({
  epsilon: positive
    .default(8)
    .describe("Budget ε of each client's records over the whole run. A client that has spent it trains no more."),
  delta: positive.lt(1).default(1e-5).describe("δ of the guarantee, less than 1/records of every client."),
  clip: positive
    .default(1)
    .describe(
      "Largest L2 norm of one record's gradient, over all LoRA tensors together. It replaces training.maxGradNorm.",
    ),
  noiseMultiplier: positive
    .optional()
    .describe(
      "Standard deviation of the noise on the sum of a step's gradients, as a multiple of the clip. Default: the smallest with which all local steps of all rounds fit in epsilon.",
    ),
});

export type RecordPrivacy = z.output<typeof recordPrivacySchema>;

/** The part of a configuration that is looked at here. */
interface Settings {
  readonly privacy?: { readonly record?: unknown } | undefined;
  readonly training: { readonly maxGradNorm: number };
}

/** Notes on the privacy of records. */
export function notedRecordPrivacy({ privacy, training }: Settings): string[] {
  if (privacy?.record === undefined || training.maxGradNorm === 1) return [];
  return [
    `training.maxGradNorm (${training.maxGradNorm}) has no effect: privacy.record.clip clips the gradient of each record`,
  ];
}
