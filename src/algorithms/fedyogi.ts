import type { Algorithm } from "./algorithm.ts";
import { adaptive } from "./server-optimizer.ts";
import type { AlgorithmSettings } from "./settings.ts";

/** FedYogi (Reddi et al. 2021, alg. 2): v ← v − (1 − β₂)·Δ²·sign(v − Δ²). */
export function fedyogi(settings: AlgorithmSettings): Algorithm {
  const { beta1, beta2 } = settings.server;
  return adaptive("fedyogi", settings, beta1, (v, square) => v - (1 - beta2) * square * Math.sign(v - square));
}
