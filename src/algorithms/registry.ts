import { build, type Registry } from "../registry/declared.ts";
import type { Algorithm } from "./algorithm.ts";
import { centralized } from "./centralized.ts";
import { fedadagrad } from "./fedadagrad.ts";
import { fedadam } from "./fedadam.ts";
import { fedavg } from "./fedavg.ts";
import { fedavgm } from "./fedavgm.ts";
import { fedprox } from "./fedprox.ts";
import { fedyogi } from "./fedyogi.ts";
import { local } from "./local.ts";
import { scaffold } from "./scaffold.ts";
import type { Fidelity } from "./settings.ts";

/** The federated algorithms and the two baselines, by their names in a configuration. */
export const ALGORITHMS = {
  fedavg,
  fedprox,
  scaffold,
  fedavgm,
  fedyogi,
  fedadam,
  fedadagrad,
  local,
  centralized,
} satisfies Registry<[fidelity: Fidelity], Algorithm>;

export type AlgorithmName = keyof typeof ALGORITHMS;

/** Makes the algorithm of a name. It reads its own settings in `settings`, the section `federation`. */
export function algorithmOf(name: AlgorithmName, settings: object = {}, fidelity: Fidelity = "paper"): Algorithm {
  return build<[fidelity: Fidelity], Algorithm>(ALGORITHMS[name], settings, fidelity);
}
