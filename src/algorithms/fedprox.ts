import { z } from "zod";
import type { LocalRule } from "../optim/local-rule.ts";
import { addScaled, type Params, subtract } from "../tensor/params.ts";
import { defineAlgorithm } from "./algorithm.ts";
import { fedavg } from "./fedavg.ts";

/**
 * FedProx (Li et al. 2020, "Federated optimization in heterogeneous networks", eq. 2): each client minimises its loss
 * + μ/2·‖y − w‖², w what it received; so μ·(y − w) is added to the gradient. The server averages as FedAvg.
 */
export const fedprox = defineAlgorithm({
  settings: {
    ...fedavg.settings,
    proxMu: z.number().min(0).default(0.01).describe("FedProx's mu, the strength of the pull to the global adapter."),
  },
  make: ({ proxMu, ...settings }, fidelity) => ({
    ...fedavg.make(settings, fidelity),
    name: "fedprox",
    localRule: ({ adapter }) => pullTo(adapter, proxMu),
  }),
});

/** Adds μ·(y − anchor) to the gradient. */
export function pullTo(anchor: Params, mu: number): LocalRule {
  return {
    // The distance first: at the anchor the pull must be exactly 0, because Adam makes a whole step of a rounding error.
    gradient: (gradient, adapter) => addScaled(gradient, mu, subtract(adapter, anchor)),
  };
}
