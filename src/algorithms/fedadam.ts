import { defineAlgorithm } from "./algorithm.ts";
import { adaptive } from "./server-optimizer.ts";
import { SERVER, WEIGHTING } from "./settings.ts";

/** FedAdam (Reddi et al. 2021, alg. 2): v ← β₂v + (1 − β₂)·Δ². */
export const fedadam = defineAlgorithm({
  settings: { weighting: WEIGHTING, server: SERVER.prefault({}) },
  make: ({ weighting, server }, fidelity) =>
    adaptive(
      "fedadam",
      { ...server, weighting, fidelity },
      (v, square) => server.beta2 * v + (1 - server.beta2) * square,
    ),
});
