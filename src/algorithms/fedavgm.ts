import { mapParams, zipParams } from "../tensor/params.ts";
import { defineAlgorithm } from "./algorithm.ts";
import { withServerOptimizer } from "./server-optimizer.ts";
import { SERVER, WEIGHTING } from "./settings.ts";

/**
 * FedAvg with server momentum (Hsu, Qi & Brown 2019, "Measuring the effects of non-identical data distribution for
 * federated visual classification"): m ← β₁m + Δ, w ← w + η·m. Δ comes back 1/(1 − β₁) times in all, so the paper weighs
 * the step it calls effective, η/(1 − β₁), against smaller steps of the clients; where η is not set it is 1 − β₁, which
 * makes that 1, as FedAvg's. (With η = 1 a LoRA adapter of MiniMind2 was worse than none after two rounds.)
 *
 * `fidelity: original`: the mean is dampened, m ← β₁m + (1 − β₁)Δ, and the first round's m is Δ.
 */
export const fedavgm = defineAlgorithm({
  settings: { weighting: WEIGHTING, server: SERVER.pick({ learningRate: true, beta1: true }).prefault({}) },
  make({ weighting = "records", server }, fidelity) {
    const { beta1 } = server;
    const original = fidelity === "original";
    // OpenFedLLM has no η: the mean itself is dampened.
    const learningRate = original ? 1 : (server.learningRate ?? 1 - beta1);
    const fresh = original ? 1 - beta1 : 1;
    return withServerOptimizer("fedavgm", weighting, (delta, state) => {
      const before = state["momentum"];
      const momentum = before === undefined ? delta : zipParams(delta, before, (d, m) => beta1 * m + fresh * d);
      return { step: mapParams(momentum, (m) => learningRate * m), state: { momentum } };
    });
  },
});
