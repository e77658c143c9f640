import { defineAlgorithm } from "./algorithm.ts";
import { fedavg } from "./fedavg.ts";

/** The baseline without privacy: one client trains on the records of all. */
export const centralized = defineAlgorithm({
  settings: {},
  make: (_settings, fidelity) => ({
    ...fedavg.make({}, fidelity),
    name: "centralized",
    data: "pooled",
    federated: false,
  }),
});
