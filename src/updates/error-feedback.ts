import { z } from "zod";
import { addScaled, filterParams, globalNorm, type Params, pick, subtract, withTensors } from "../tensor/params.ts";

/** A setting of every codec. */
export const ERROR_FEEDBACK = z
  .boolean()
  .optional()
  .describe(
    "True: the client keeps what compression loses and adds it to its next change; values are rounded to nearest. False: values are rounded at random, so that the mean is right. Default: true, for int8 false.",
  );

/** The group of a client's memory that holds what it has not sent. The name is no algorithm's. */
export const UNSENT = "unsent";

/** Factor for what was not sent, for each round that the client missed since. */
const DECAY = 0.9;

/** What was not sent is dropped where its norm is more than so many times that of the change. */
const LARGEST = 10;

/**
 * Adds what a client has not sent to its change: p = Δ + 0.9^missed·e (Seide et al. 2014, "1-bit stochastic gradient
 * descent"; Karimireddy et al. 2019, "Error feedback fixes SignSGD"). What is older than the change is worth less: a client
 * that missed rounds would push against an adapter that has moved on (Li & Li 2023, "Analysis of error feedback in federated
 * non-convex optimization with biased compression"). Where ‖e‖ > 10·‖Δ‖, e is dropped.
 */
export function withUnsent(delta: Params, unsent: Params | undefined, missed: number): Params {
  if (unsent === undefined) return delta;
  const factor = DECAY ** missed;
  // A round may send some tensors of the adapter only.
  const kept = filterParams(unsent, (name) => delta.has(name));
  if (factor * globalNorm(kept) > LARGEST * globalNorm(delta)) return delta;
  return withTensors(delta, addScaled(pick(delta, kept), factor, kept));
}

/** What a client that wanted to send `wanted` has not sent: e ← p − C(p), `sent` being what the coordinator decodes. */
export function unsentAfter(wanted: Params, sent: Params): Params {
  return subtract(wanted, sent);
}
