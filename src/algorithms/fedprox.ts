import type { Algorithm } from "./algorithm.ts";
import { fedavg } from "./fedavg.ts";
import type { AlgorithmSettings } from "./settings.ts";

/**
 * FedProx (Li et al. 2020, "Federated optimization in heterogeneous networks", eq. 2): each client minimises its loss
 * + μ/2·‖y − w‖², w what it received; so μ·(y − w) is added to the gradient. The server averages as FedAvg.
 */
export function fedprox({ proxMu, ...settings }: Pick<AlgorithmSettings, "proxMu" | "weighting">): Algorithm {
  return {
    ...fedavg(settings),
    name: "fedprox",
    localTerm: ({ adapter }) => ({ proximal: { mu: proxMu, anchor: adapter } }),
  };
}
