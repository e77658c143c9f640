import { defineAlgorithm } from "./algorithm.ts";
import { fedavg } from "./fedavg.ts";

/** The baseline that gives privacy up: all records in one place, one client trains on them. */
export const centralized = defineAlgorithm({
  settings: {},
  make: (_settings, fidelity) => ({
    ...fedavg.make({}, fidelity),
    name: "centralized",
    data: "pooled",
    federated: false,
  }),
});
