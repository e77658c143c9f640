import type { Algorithm } from "./algorithm.ts";
import { fedavg } from "./fedavg.ts";

/** The federated algorithms, by the name a person writes. */
export const ALGORITHMS: { readonly fedavg: () => Algorithm } = { fedavg };

export type AlgorithmName = keyof typeof ALGORITHMS;
