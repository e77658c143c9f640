import { mapParams, zipParams } from "../tensor/params.ts";
import type { Algorithm } from "./algorithm.ts";
import { withServerOptimizer } from "./server-optimizer.ts";
import type { AlgorithmSettings } from "./settings.ts";

/**
 * FedAvg with server momentum (Hsu, Qi & Brown 2019, "Measuring the effects of non-identical data distribution for
 * federated visual classification"): m ← β₁m + Δ, w ← w + η·m; η is 1 where not set.
 *
 * `fidelity: original`: the mean is dampened, m ← β₁m + (1 − β₁)Δ, and the first round's m is Δ.
 */
export function fedavgm({ fidelity, weighting = "records", server }: AlgorithmSettings): Algorithm {
  const { beta1, learningRate = 1 } = server;
  const fresh = fidelity === "original" ? 1 - beta1 : 1;
  return withServerOptimizer("fedavgm", weighting, (delta, state) => {
    const before = state["momentum"];
    const momentum = before === undefined ? delta : zipParams(delta, before, (d, m) => beta1 * m + fresh * d);
    return { step: mapParams(momentum, (m) => learningRate * m), state: { momentum } };
  });
}
