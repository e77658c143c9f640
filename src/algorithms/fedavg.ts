import { zipParams } from "../tensor/params.ts";
import { defineAlgorithm } from "./algorithm.ts";
import { WEIGHTING } from "./settings.ts";

/**
 * Federated averaging (McMahan et al. 2017, "Communication-efficient learning of deep networks from decentralized
 * data", alg. 1): w ← Σ n_k·y_k / Σ n_k over the round's clients, n_k the client's records, y_k its adapter after
 * local training.
 *
 * The update is y_k, not y_k − w: w + (y_k − w) is not y_k in float32, and so a client alone would not train as it
 * does at home. Rules that need the delta subtract w from the mean, in float64.
 */
export const fedavg = defineAlgorithm({
  settings: { weighting: WEIGHTING },
  make: ({ weighting = "records" }) => ({
    name: "fedavg",
    data: "apart",
    federated: true,
    localRule: () => ({}),
    report: ({ after }) => ({ update: { adapter: after }, memory: {} }),
    init: () => ({}),
    broadcast: () => ({}),
    update: (adapter) => ({ adapter: { like: adapter, weighting, combined: "mean" } }),
    apply: ({ global, state }, { adapter }) => ({ global: zipParams(global, adapter!, (_, y) => y), state }),
  }),
});
