import { build, type Registry } from "../registry/declared.ts";
import type { Algorithm } from "./algorithm.ts";
import { centralized } from "./centralized.ts";
import { fedadagrad } from "./fedadagrad.ts";
import { fedadam } from "./fedadam.ts";
import { fedavg } from "./fedavg.ts";
import { fedavgm } from "./fedavgm.ts";
import { fedprox } from "./fedprox.ts";
import { fedyogi } from "./fedyogi.ts";
import { FACTOR_RULES, type FactorRuleName } from "./factors/registry.ts";
import { withFactors } from "./factors/with-factors.ts";
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

/** The section `federation`, of which each algorithm reads its own settings. */
interface FederationSettings {
  readonly factors?: FactorRuleName | undefined;
  readonly [setting: string]: unknown;
}

/** Makes the algorithm of a name. With `factors` it trains and sends the LoRA factors that this rule names. */
export function algorithmOf(
  name: AlgorithmName,
  settings: FederationSettings = {},
  fidelity: Fidelity = "paper",
): Algorithm {
  const algorithm = build<[fidelity: Fidelity], Algorithm>(ALGORITHMS[name], settings, fidelity);
  const { factors } = settings;
  return factors === undefined ? algorithm : withFactors(algorithm, FACTOR_RULES[factors]);
}
