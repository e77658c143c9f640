import type { Algorithm } from "./algorithm.ts";
import { fedavg } from "./fedavg.ts";

/** The baseline that gives privacy up: all records in one place, one client trains on them. */
export function centralized(): Algorithm {
  return { ...fedavg(), name: "centralized", data: "pooled", federated: false };
}
