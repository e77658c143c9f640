import type { Algorithm } from "./algorithm.ts";
import { adaptive } from "./server-optimizer.ts";
import type { AlgorithmSettings } from "./settings.ts";

/** FedAdam (Reddi et al. 2021, alg. 2): v ← β₂v + (1 − β₂)·Δ². */
export function fedadam(settings: AlgorithmSettings): Algorithm {
  const { beta1, beta2 } = settings.server;
  return adaptive("fedadam", settings, beta1, (v, square) => beta2 * v + (1 - beta2) * square);
}
