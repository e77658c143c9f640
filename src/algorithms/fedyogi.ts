import { defineAlgorithm } from "./algorithm.ts";
import { adaptive } from "./server-optimizer.ts";
import { SERVER, WEIGHTING } from "./settings.ts";

/** FedYogi (Reddi et al. 2021, alg. 2): v ← v − (1 − β₂)·Δ²·sign(v − Δ²). */
export const fedyogi = defineAlgorithm({
  settings: { weighting: WEIGHTING, server: SERVER.prefault({}) },
  make: ({ weighting, server }, fidelity) =>
    adaptive(
      "fedyogi",
      { ...server, weighting, fidelity },
      (v, square) => v - (1 - server.beta2) * square * Math.sign(v - square),
    ),
});
