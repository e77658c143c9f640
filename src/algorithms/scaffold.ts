import { addScaled, type Params, scale, subtract, zerosLike, zipParams } from "../tensor/params.ts";
import type { Algorithm, Received } from "./algorithm.ts";
import { fedavg } from "./fedavg.ts";
import type { Groups } from "../tensor/groups.ts";
import { type AlgorithmSettings, weightOf } from "./settings.ts";
import { addWeighted, mean } from "./weighted-sum.ts";

/**
 * SCAFFOLD (Karimireddy et al. 2020, "SCAFFOLD: Stochastic controlled averaging for federated learning", alg. 1). The
 * server holds a control variate c, each client its own c_i; both begin at zero and both are sent beside the adapter.
 *
 * Client: every local gradient g becomes g + c − c_i; then c_i⁺ is the mean of the local gradients g, which with plain
 * SGD is the paper's option II, c_i − c + (w − y)/(K·η). Server: w ← w + η_g·mean(y_k − w), each client alike, η_g 1
 * where not set; c ← c + Σ(c_i⁺ − c_i)/N, N all clients.
 *
 * `fidelity: original`: after each step of the optimizer (AdamW), y ← y − η·(c − c_i); c_i⁺ by option II from what that
 * moved; clients weigh by records.
 */
export function scaffold({ fidelity, server, ...settings }: AlgorithmSettings): Algorithm {
  const original = fidelity === "original";
  const { weighting = original ? "records" : "uniform" } = settings;
  const { learningRate = 1 } = server;
  const own = ({ adapter }: Received, memory: Groups): Params => memory["control"] ?? zerosLike(adapter);
  const drift = (received: Received, memory: Groups): Params =>
    subtract(received.extra["control"]!, own(received, memory));
  return {
    ...fedavg(),
    name: "scaffold",
    init: (global) => ({ control: zerosLike(global) }),
    broadcast: (state) => state,
    localTerm: (received, memory) =>
      original ? { correction: drift(received, memory) } : { drift: drift(received, memory) },
    report: ({ before, after, learningRateSum, gradientMean }, received, memory) => {
      const control = original
        ? subtract(scale(subtract(before, after), 1 / learningRateSum), drift(received, memory))
        : gradientMean!;
      return {
        update: { adapter: after, control: subtract(control, own(received, memory)) },
        memory: { control },
      };
    },
    absorb: (sum, { adapter, control }, records) => ({
      ...sum,
      sums: {
        adapter: addWeighted(sum.sums["adapter"], adapter!, weightOf(weighting, records)),
        control: addWeighted(sum.sums["control"], control!, 1),
      },
    }),
    finish: ({ sums, state, population, global }) => ({
      global: zipParams(global, mean(sums["adapter"]), (w, y) => (learningRate === 1 ? y : w + learningRate * (y - w))),
      state: { control: addScaled(state["control"]!, 1 / population, sums["control"]!.tensors) },
    }),
  };
}
