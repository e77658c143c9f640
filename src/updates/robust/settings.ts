import { z } from "zod";

/** Settings that several robust rules read. */
const byzantine = z
  .number()
  .min(0)
  .lt(0.5)
  .optional()
  .describe("Largest share of hostile clients among those of a round; a part of a client counts as one. Default: 0.2.");

export const distances = z
  .enum(["product", "factors"])
  .optional()
  .describe(
    "Way to measure the difference of two updates. product: by the change of the model's weights, B·A. factors: by the numbers of A and B. Default: product.",
  );

export const buckets = z
  .int()
  .min(2)
  .optional()
  .describe(
    "Number of buckets that a round's clients are dealt to, anew in each round. The rule sees the mean of each bucket in the place of its clients. Default: none.",
  );

/** The settings of rules that take a share of hostile clients. */
export const robustSettings = { byzantine, buckets };

const DEFAULT_BYZANTINE = 0.2;

/** f: how many of n updates are hostile at most. */
export function hostileAmong(updates: number, share: number = DEFAULT_BYZANTINE): number {
  // Binary fractions: a tenth of 30 is 3, and a trifle more.
  return Math.ceil(share * updates - 1e-9);
}
