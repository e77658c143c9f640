import { type Params, type Tensor, zerosLike } from "../tensor/params.ts";

/** Moments and counters of an optimizer between steps. It is plain data, so a checkpoint is the state. */
export interface OptimizerState {
  readonly step: number;
  readonly moments: Readonly<Record<string, Params>>;
}

/** A gradient-based optimizer as a pair of pure functions. */
export interface Optimizer {
  init(params: Params): OptimizerState;
  /** Returns the parameters and the state after one step at this learning rate. */
  update(
    state: OptimizerState,
    params: Params,
    gradients: Params,
    learningRate: number,
  ): { params: Params; state: OptimizerState };
}

export interface AdamWSettings {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
}

/** AdamW (Loshchilov & Hutter 2019) with PyTorch's arithmetic: decay first, ε added to the bias-corrected root. */
export function adamW({ beta1, beta2, epsilon, weightDecay }: AdamWSettings): Optimizer {
  return {
    init: (params) => ({
      step: 0,
      moments: { first: zerosLike(params, Float32Array), second: zerosLike(params, Float32Array) },
    }),
    update(state, params, gradients, learningRate) {
      const step = state.step + 1;
      const rate = learningRate / (1 - beta1 ** step);
      const rootCorrection = Math.sqrt(1 - beta2 ** step);
      const first = new Map<string, Tensor>();
      const second = new Map<string, Tensor>();
      const next = new Map<string, Tensor>();
      for (const [name, { shape, data }] of params) {
        const g = gradients.get(name)!.data;
        const m = state.moments["first"]!.get(name)!.data.slice();
        const v = state.moments["second"]!.get(name)!.data.slice();
        const w = data.slice();
        for (let i = 0; i < w.length; i++) {
          m[i]! += (1 - beta1) * (g[i]! - m[i]!);
          v[i] = beta2 * v[i]! + (1 - beta2) * g[i]! * g[i]!;
          w[i] =
            w[i]! * (1 - learningRate * weightDecay) - (rate * m[i]!) / (Math.sqrt(v[i]!) / rootCorrection + epsilon);
        }
        first.set(name, { shape, data: m });
        second.set(name, { shape, data: v });
        next.set(name, { shape, data: w });
      }
      return { params: next, state: { step, moments: { first, second } } };
    },
  };
}

export interface SgdSettings {
  readonly momentum: number;
  readonly weightDecay: number;
}

/** SGD with PyTorch's momentum: the buffer starts as the first gradient, without dampening. */
export function sgd({ momentum, weightDecay }: SgdSettings): Optimizer {
  return {
    init: (params) => ({ step: 0, moments: momentum === 0 ? {} : { momentum: zerosLike(params, Float32Array) } }),
    update(state, params, gradients, learningRate) {
      const buffers = new Map<string, Tensor>();
      const next = new Map<string, Tensor>();
      for (const [name, { shape, data }] of params) {
        const g = gradients.get(name)!.data;
        const buffer = state.moments["momentum"]?.get(name)?.data.slice();
        const w = data.slice();
        for (let i = 0; i < w.length; i++) {
          let direction = g[i]! + weightDecay * w[i]!;
          if (buffer !== undefined) direction = buffer[i] = momentum * buffer[i]! + direction;
          w[i]! -= learningRate * direction;
        }
        if (buffer !== undefined) buffers.set(name, { shape, data: buffer });
        next.set(name, { shape, data: w });
      }
      return { params: next, state: { step: state.step + 1, moments: momentum === 0 ? {} : { momentum: buffers } } };
    },
  };
}

/** Every local optimizer, by the name a configuration gives it. */
export const OPTIMIZERS: { readonly [K in "adamw" | "sgd"]: (settings: AdamWSettings & SgdSettings) => Optimizer } = {
  adamw: adamW,
  sgd,
};
