import { mapParams, type Params, subtract, zerosLike, zipParams } from "../tensor/params.ts";
import type { Groups } from "../tensor/groups.ts";
import type { Algorithm } from "./algorithm.ts";
import { fedavg } from "./fedavg.ts";
import type { Fidelity, Weighting } from "./settings.ts";

/** A step of the server: from the mean delta of a round (float64) and the state to the change of the weights and the next state. */
export type ServerStep = (delta: Params, state: Groups) => { readonly step: Params; readonly state: Groups };

/** FedAvg whose mean delta Δ = Σ p_k·(y_k − w) goes through a server optimizer (Reddi et al. 2021, alg. 1): w ← w + step. */
export function withServerOptimizer(name: string, weighting: Weighting, serverStep: ServerStep): Algorithm {
  return {
    ...fedavg.make({ weighting }, "paper"),
    name,
    apply({ global, state }, { adapter }) {
      const next = serverStep(subtract(adapter!, global), state);
      return { global: zipParams(global, next.step, (w, step) => w + step), state: next.state };
    },
  };
}

interface AdaptiveSettings {
  readonly weighting?: Weighting | undefined;
  readonly fidelity: Fidelity;
  readonly learningRate?: number | undefined;
  readonly beta1: number;
  readonly tau?: number | undefined;
}

/** The next second moment of one coordinate, from the last and from the square of this round's delta. */
type SecondMoment = (v: number, square: number) => number;

/**
 * Defaults of η and τ, in units of the root mean square of the first round's delta. With momentum and without bias
 * correction m/√v is about 2 for many rounds (β 0.9 and 0.99), so the step is smaller.
 */
const RELATIVE = { learningRate: 1, learningRateWithMomentum: 0.3, tau: 0.1 };

/** η and τ of OpenFedLLM. */
const ORIGINAL = 1e-3;

/**
 * FedAdagrad, FedYogi and FedAdam (Reddi et al. 2021, "Adaptive federated optimization", alg. 2), which differ in how the
 * second moment is kept: m ← β₁m + (1 − β₁)Δ, v ← …, w ← w + η·m/(√v + τ), v₋₁ = τ², no bias correction.
 *
 * A step size has the unit of a weight, and the sizes for a whole network are too large or too small for an adapter. So η
 * and τ, if they are not set, are `RELATIVE` times the root mean square of the first delta that is not zero. It is
 * measured once and kept in the state as `scale`.
 *
 * `fidelity: original`: both are 10⁻³ if not set. The first round's momentum is Δ. v is built from m² instead of Δ², as in
 * an earlier version of the paper.
 */
export function adaptive(
  name: string,
  { weighting = "uniform", fidelity, beta1, ...server }: AdaptiveSettings,
  secondMoment: SecondMoment,
): Algorithm {
  const original = fidelity === "original";
  return withServerOptimizer(name, weighting, (delta, state) => {
    const scale = state["scale"]?.get("rms")?.data[0] ?? rootMeanSquare(delta);
    if (scale === 0) return { step: delta, state };
    const relative = beta1 > 0 ? RELATIVE.learningRateWithMomentum : RELATIVE.learningRate;
    const learningRate = server.learningRate ?? (original ? ORIGINAL : relative * scale);
    const tau = server.tau ?? (original ? ORIGINAL : RELATIVE.tau * scale);
    const first = state["momentum"] === undefined;
    const momentum =
      first && original
        ? delta
        : zipParams(delta, state["momentum"] ?? zerosLike(delta), (d, m) => beta1 * m + (1 - beta1) * d);
    const variance = zipParams(
      state["variance"] ?? mapParams(delta, () => tau * tau),
      original ? momentum : delta,
      (v, x) => secondMoment(v, x * x),
    );
    return {
      step: zipParams(momentum, variance, (m, v) => (learningRate * m) / (Math.sqrt(v) + tau)),
      state: { momentum, variance, scale: new Map([["rms", { shape: [1], data: Float64Array.of(scale) }]]) },
    };
  });
}

function rootMeanSquare(params: Params): number {
  let sum = 0;
  let count = 0;
  for (const { data } of params.values()) {
    for (let i = 0; i < data.length; i++) sum += data[i]! * data[i]!;
    count += data.length;
  }
  return Math.sqrt(sum / count);
}
