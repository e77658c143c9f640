import { type FactorRule, isA } from "./factor-rule.ts";

const notA = (tensor: string): boolean => !isA(tensor);

/**
 * FFA-LoRA (Sun et al. 2024, "Improving LoRA in privacy-preserving federated learning"): A stays as the run began with it,
 * clients train and send B. The mean of B·A is the mean of B times A, so nothing is lost by averaging, and noise is added to
 * one factor only.
 */
export const ffa: FactorRule = {
  name: "ffa",
  phases: [{ name: "b", trains: notA, sends: notA }],
  personal: false,
};
