import type { Algorithm } from "./algorithm.ts";
import { adaptive } from "./server-optimizer.ts";
import type { AlgorithmSettings } from "./settings.ts";

/** FedAdagrad (Reddi et al. 2021, alg. 2): v ← v + Δ², without momentum (β₁ = 0), as in the paper's experiments. */
export function fedadagrad(settings: AlgorithmSettings): Algorithm {
  return adaptive("fedadagrad", settings, 0, (v, square) => v + square);
}
