import { type FactorRule, isA, isB } from "./factor-rule.ts";

/**
 * RoLoRA (Chen et al. 2025, "Robust federated finetuning of LLMs via alternating optimization of LoRA"): clients train and send B in
 * odd rounds and A in even ones. Averaging one factor is exact where the other is common. It begins with B: while B is 0, A
 * has no gradient.
 */
export const rolora: FactorRule = {
  name: "rolora",
  phases: [
    { name: "b", trains: (tensor) => !isA(tensor), sends: (tensor) => !isA(tensor) },
    { name: "a", trains: (tensor) => !isB(tensor), sends: (tensor) => !isB(tensor) },
  ],
  personal: false,
};
