import { describe, expect, test } from "vitest";
import type { Params } from "../tensor/params.ts";
import { clipByGlobalNorm } from "./clip.ts";
import { adamW, sgd } from "./optimizer.ts";

const params = (...values: number[]): Params =>
  new Map([["w", { shape: [values.length], data: Float64Array.from(values) }]]);
const values = (p: Params): number[] => [...p.get("w")!.data];

describe("adamW, by hand", () => {
  const optimizer = adamW({ beta1: 0.9, beta2: 0.99, epsilon: 1e-3, weightDecay: 0.1 });

  test("two steps", () => {
    // Step 1, g = 2, lr = 0.5: w = 1·(1 − 0.05) = 0.95; m̂ = 2, v̂ = 4; w −= 0.5·2/(2 + 1e-3).
    let { params: w, state } = optimizer.update(optimizer.init(params(1)), params(1), params(2), 0.5);
    const first = 0.95 - 1 / 2.001;
    expect(values(w)[0]).toBeCloseTo(first, 6);
    // Step 2, g = −1: m = 0.9·0.2 − 0.1 = 0.08, m̂ = 0.08/0.19; v = 0.99·0.04 + 0.01 = 0.0496, v̂ = 0.0496/0.0199.
    ({ params: w, state } = optimizer.update(state, w, params(-1), 0.5));
    expect(values(w)[0]).toBeCloseTo(first * 0.95 - (0.5 * (0.08 / 0.19)) / (Math.sqrt(0.0496 / 0.0199) + 1e-3), 6);
    expect(state.step).toBe(2);
  });

  test("leaves its arguments as they were", () => {
    const start = params(1, -1);
    const state = optimizer.init(start);
    optimizer.update(state, start, params(3, 3), 0.1);
    expect(values(start)).toEqual([1, -1]);
    expect([...state.moments["first"]!.get("w")!.data]).toEqual([0, 0]);
  });
});

test("sgd: momentum's buffer starts as the first gradient", () => {
  const optimizer = sgd({ momentum: 0.5, weightDecay: 0 });
  let { params: w, state } = optimizer.update(optimizer.init(params(1)), params(1), params(1), 0.1);
  expect(values(w)[0]).toBeCloseTo(0.9, 12);
  ({ params: w, state } = optimizer.update(state, w, params(1), 0.1));
  // Buffer 0.5·1 + 1 = 1.5.
  expect(values(w)[0]).toBeCloseTo(0.75, 6);
});

test("sgd without momentum keeps nothing", () => {
  const optimizer = sgd({ momentum: 0, weightDecay: 0.1 });
  const { params: w, state } = optimizer.update(optimizer.init(params(2)), params(2), params(1), 0.5);
  expect(values(w)[0]).toBeCloseTo(2 - 0.5 * 1.2, 12);
  expect(state.moments).toEqual({});
});

describe("clipByGlobalNorm", () => {
  test("scales to the bound as PyTorch does, with its 1e-6", () => {
    const { gradients, norm } = clipByGlobalNorm(params(3, 4), 1);
    expect(norm).toBeCloseTo(5, 12);
    expect(values(gradients)[0]).toBeCloseTo(3 / 5.000001, 12);
  });

  test("leaves smaller gradients, and all of them with bound 0", () => {
    expect(values(clipByGlobalNorm(params(0.3, 0.4), 1).gradients)).toEqual([0.3, 0.4]);
    expect(values(clipByGlobalNorm(params(30, 40), 0).gradients)).toEqual([30, 40]);
  });
});
