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
import type { AlgorithmSettings } from "./settings.ts";

type Maker = (settings: AlgorithmSettings) => Algorithm;

export type AlgorithmName =
  | "fedavg"
  | "fedprox"
  | "scaffold"
  | "fedavgm"
  | "fedadagrad"
  | "fedyogi"
  | "fedadam"
  | "local"
  | "centralized";

/** The federated algorithms and the two baselines, by the name a person writes. */
export const ALGORITHMS: { readonly [K in AlgorithmName]: Maker } = {
  fedavg,
  fedprox,
  scaffold,
  fedavgm,
  fedadagrad,
  fedyogi,
  fedadam,
  local,
  centralized,
};
