import { describe, expect, test } from "vitest";
import { pullTo } from "../algorithms/fedprox.ts";
import { withCorrection } from "../algorithms/scaffold.ts";
import { adamW, sgd } from "../optim/optimizer.ts";
import type { Params } from "../tensor/params.ts";
import { engineOf, exampleOf, expectClose, linear, params, train, values } from "../../test/support/quadratic.ts";
import type { LocalStep } from "./local-training.ts";

describe("a federated algorithm's hooks", () => {
  test("see the batch's gradient at the adapter before clipping, and the adapter after the optimizer's step", async () => {
    const seen: unknown[] = [];
    const { after } = await train({
      engine: linear(3, 0),
      adapter: params(1, 3),
      steps: 2,
      maxGradNorm: 1,
      localRule: {
        gradient(gradient, adapter) {
          seen.push(["gradient", values(gradient), values(adapter)]);
          return params(0, 4);
        },
        step(adapter, learningRate) {
          seen.push(["step", learningRate]);
          expectClose(adapter, [1, (seen.length === 2 ? 3 : 10) - (0.1 * 4) / 4.000001]);
          return params(1, 10);
        },
      },
    });
    expect(values(after)).toEqual([1, 10]);
    expect(seen).toEqual([
      ["gradient", [3, 0], [1, 3]],
      ["step", 0.1],
      ["gradient", [3, 0], [1, 10]],
      ["step", 0.1],
    ]);
  });
});

describe("what comes back", () => {
  test("steps, the learning rate summed over them, and where it began", async () => {
    const adapter = params(1);
    const result = await train({ engine: linear(1), adapter, steps: 5, learningRate: 0.25 });
    expect(result).toMatchObject({ steps: 5, learningRateSum: 1.25, supervisedTokens: 5 });
    expect(result.before).toBe(adapter);
    expectClose(result.after, [1 - 5 * 0.25]);
  });

  test("the loss is the mean over all that was counted, not over steps; metrics add up", async () => {
    const measured = [
      { loss: 4, count: 1, supervisedTokens: 50, metrics: { margin: { sum: 1, count: 1 } } },
      { loss: 1, count: 3, supervisedTokens: 20, metrics: { margin: { sum: -2, count: 3 } } },
      { loss: 2, count: 6, supervisedTokens: 30, metrics: { margin: { sum: 5, count: 6 } } },
    ];
    const { engine } = engineOf((_w, call) => ({ ...measured[call - 1]!, gradients: params(0) }));
    const result = await train({ engine, adapter: params(0), steps: 3 });
    expect(result.loss).toBeCloseTo((4 * 1 + 1 * 3 + 2 * 6) / 10, 12);
    expect(result).toMatchObject({ count: 10, supervisedTokens: 100, metrics: { margin: { sum: 4, count: 10 } } });
  });

  test("every step reports what it took and what came out", async () => {
    const reports: Omit<LocalStep, "seconds">[] = [];
    const metrics = { accuracy: { sum: 1, count: 2 } };
    const { engine } = engineOf((_w, call) => ({
      loss: 10 - call,
      count: 2,
      supervisedTokens: call,
      gradients: params(3, 4),
      metrics,
    }));
    await train({
      engine,
      adapter: params(0, 0),
      steps: 2,
      batch: (step) => [exampleOf(2 * step), exampleOf(2 * step + 1)],
      onStep: ({ seconds: _seconds, ...report }) => reports.push(report),
    });
    const shared = { learningRate: 0.1, gradientNorm: 5, count: 2, metrics };
    expect(reports).toEqual([
      { ...shared, step: 1, records: ["x.jsonl#1", "x.jsonl#2"], loss: 9, supervisedTokens: 1 },
      { ...shared, step: 2, records: ["x.jsonl#3", "x.jsonl#4"], loss: 8, supervisedTokens: 2 },
    ]);
  });
});

describe("a step that is not finite", () => {
  test.each([
    ["a NaN loss", { loss: Number.NaN, gradients: params(1, 1) }],
    ["an infinite loss", { loss: Infinity, gradients: params(1, 1) }],
    ["a NaN in the gradient", { gradients: params(1, Number.NaN) }],
    ["an infinity in the gradient", { gradients: params(-Infinity, 1) }],
  ])("%s ends the round there, and the step changes nothing", async (_name, bad) => {
    const { engine, seen } = engineOf((_w, call) => (call === 3 ? bad : { gradients: params(3, 4) }));
    const steps: number[] = [];
    const result = await train({
      engine,
      adapter: params(1, 1),
      steps: 5,
      maxGradNorm: 10,
      localRule: withCorrection(params(1, 1)),
      onStep: ({ step }) => steps.push(step),
    });
    expect(seen).toHaveLength(3);
    expect(steps).toEqual([1, 2, 3]);
    expect(result.loss).toBeNaN();
    expect(result.steps).toBe(2);
    expect(result.learningRateSum).toBeCloseTo(0.2, 12);
    expectClose(result.after, [1 - 2 * 0.1 * (3 + 1), 1 - 2 * 0.1 * (4 + 1)]);
  });
});

describe("an abort signal", () => {
  test("stops before the next step, with its reason", async () => {
    const stop = new AbortController();
    const reason = new Error("enough");
    const { engine, seen } = engineOf(() => ({ gradients: params(1) }));
    const training = train({
      engine,
      adapter: params(0),
      steps: 5,
      signal: stop.signal,
      onStep: ({ step }) => step === 2 && stop.abort(reason),
    });
    await expect(training).rejects.toBe(reason);
    expect(seen).toHaveLength(2);
  });

  test("that is set already lets no step begin", async () => {
    const { engine, seen } = engineOf(() => ({ gradients: params(1) }));
    const signal = AbortSignal.abort(new Error("not at all"));
    await expect(train({ engine, adapter: params(0), signal })).rejects.toThrow("not at all");
    expect(seen).toHaveLength(0);
  });
});

describe("nothing is kept and nothing is changed", () => {
  test("adapter, anchor, correction and the engine's gradients stay as they were", async () => {
    const given = { adapter: params(1, 2), anchor: params(5, 6), correction: params(7, 8), gradients: params(30, 40) };
    const before = structuredClone(given);
    const { after } = await train({
      engine: engineOf(() => ({ gradients: given.gradients })).engine,
      adapter: given.adapter,
      steps: 3,
      optimizer: adamW({ beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1 }),
      maxGradNorm: 1,
      localRule: { ...pullTo(given.anchor, 0.1), ...withCorrection(given.correction) },
    });
    expect(given).toEqual(before);
    expect(values(after)).not.toEqual(values(given.adapter));
  });

  test("momentum starts anew with every call", async () => {
    const optimizer = sgd({ momentum: 0.5, weightDecay: 0 });
    const call = (adapter: Params, steps: number) => train({ engine: linear(1), adapter, steps, optimizer });
    // In one call the second step moves 0.1·1.5; a call of its own begins with 0.1·1 again.
    expectClose((await call(params(1), 2)).after, [0.75]);
    expectClose((await call((await call(params(1), 1)).after, 1)).after, [0.8]);
  });
});
