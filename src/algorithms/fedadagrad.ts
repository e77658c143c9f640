import { defineAlgorithm } from "./algorithm.ts";
import { adaptive } from "./server-optimizer.ts";
import { SERVER, WEIGHTING } from "./settings.ts";

/** FedAdagrad (Reddi et al. 2021, alg. 2): v ← v + Δ², without momentum (β₁ = 0), as in the paper's experiments. */
export const fedadagrad = defineAlgorithm({
  settings: { weighting: WEIGHTING, server: SERVER.pick({ learningRate: true, tau: true }).prefault({}) },
  make: ({ weighting, server }, fidelity) =>
    adaptive("fedadagrad", { ...server, weighting, fidelity, beta1: 0 }, (v, square) => v + square),
});
