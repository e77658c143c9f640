import type { LocalRule } from "../optim/local-rule.ts";
import type { Groups } from "../tensor/groups.ts";
import { addScaled, type Params, scale, subtract, zerosLike, zipParams } from "../tensor/params.ts";
import { defineAlgorithm, type Received } from "./algorithm.ts";
import { fedavg } from "./fedavg.ts";
import { SERVER, WEIGHTING } from "./settings.ts";

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
export const scaffold = defineAlgorithm({
  settings: { weighting: WEIGHTING, server: SERVER.pick({ learningRate: true }).prefault({}) },
  make(settings, fidelity) {
    const original = fidelity === "original";
    const { weighting = original ? "records" : "uniform" } = settings;
    const { learningRate = 1 } = settings.server;
    const own = ({ adapter }: Received, memory: Groups): Params => memory["control"] ?? zerosLike(adapter);
    const drift = (received: Received, memory: Groups): Params =>
      subtract(received.extra["control"]!, own(received, memory));
    return {
      ...fedavg.make({}, fidelity),
      name: "scaffold",
      keepsMemory: true,
      localRule: (received, memory) =>
        original ? withCorrection(drift(received, memory)) : withDrift(drift(received, memory)),
      report({ before, after, learningRateSum, gradientMean }, received, memory) {
        const control = original
          ? subtract(scale(subtract(before, after), 1 / learningRateSum), drift(received, memory))
          : gradientMean!;
        return {
          update: { adapter: after, control: subtract(control, own(received, memory)) },
          memory: { control },
        };
      },
      // c_i⁺ as the server knows it: otherwise Σ c_i is not N·c.
      remembered: ({ control }, received, memory) => ({ control: addScaled(own(received, memory), 1, control!) }),
      init: (global) => ({ control: zerosLike(global) }),
      broadcast: (state) => state,
      update: (adapter) => ({
        adapter: { like: adapter, weighting, combined: "mean" },
        control: { like: adapter, weighting: "uniform", combined: "sum" },
      }),
      apply: ({ global, state, population }, { adapter, control }) => ({
        global: zipParams(global, adapter!, (w, y) => (learningRate === 1 ? y : w + learningRate * (y - w))),
        state: { control: addScaled(state["control"]!, 1 / population, control!) },
      }),
    };
  },
});

/** Adds c − c_i to the gradient: y ← y − η·(g + c − c_i). c_i⁺ is the mean of the gradients g. */
export function withDrift(drift: Params): LocalRule {
  return { gradient: (gradient) => addScaled(gradient, 1, drift), keepsGradientMean: true };
}

/** Moves by −η·(c − c_i) after each step, for any optimizer, as OpenFedLLM does. */
export function withCorrection(correction: Params): LocalRule {
  return { step: (adapter, learningRate) => addScaled(adapter, -learningRate, correction) };
}
