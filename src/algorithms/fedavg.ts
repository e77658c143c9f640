import { zipParams } from "../tensor/params.ts";
import type { Algorithm } from "./algorithm.ts";
import { type AlgorithmSettings, weightOf } from "./settings.ts";
import { addGroups, mean } from "./weighted-sum.ts";

/**
 * Federated averaging (McMahan et al. 2017, "Communication-efficient learning of deep networks from decentralized
 * data", alg. 1): w ← Σ n_k·y_k / Σ n_k over the round's clients, n_k the client's records, y_k its adapter after
 * local training.
 *
 * The update is y_k, not y_k − w: w + (y_k − w) is not y_k in float32, and so a client alone would not train as it
 * does at home. Rules that need the delta subtract w from the mean, in float64.
 */
export function fedavg({ weighting = "records" }: Pick<AlgorithmSettings, "weighting"> = {}): Algorithm {
  return {
    name: "fedavg",
    data: "apart",
    federated: true,
    init: () => ({}),
    broadcast: () => ({}),
    localTerm: () => ({}),
    report: ({ after }) => ({ update: { adapter: after }, memory: {} }),
    start: (round) => ({ ...round, sums: {} }),
    absorb: (sum, update, records) => ({
      ...sum,
      sums: addGroups(sum.sums, update, weightOf(weighting, records)),
    }),
    finish: ({ sums, state, global }) => ({ global: zipParams(global, mean(sums["adapter"]), (_, y) => y), state }),
  };
}
