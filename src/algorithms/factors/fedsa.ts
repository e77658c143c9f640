import { type FactorRule, isB } from "./factor-rule.ts";

/**
 * FedSA-LoRA (Guo et al. 2025, "Selective aggregation for low-rank adaptation in federated learning"): clients train both
 * factors, send A and keep B. Each client has an adapter of its own, the common A with its B; a client that has not trained
 * yet has the B that the run began with.
 */
export const fedsa: FactorRule = {
  name: "fedsa",
  phases: [{ name: "a", trains: () => true, sends: (tensor) => !isB(tensor) }],
  personal: true,
};
