import { describe, expect, test } from "vitest";
import { adamW, sgd } from "../optim/optimizer.ts";
import type { Floats, Params } from "../tensor/params.ts";
import { stream } from "../tensor/random.ts";
import type { Example } from "../data/example.ts";
import type { GradientEngine, StepGradients } from "./gradient-engine.ts";
import { trainLocally, type LocalStep, type LocalTrainingOptions } from "./local-training.ts";

const wrap = (data: Floats): Params => new Map([["w", { shape: [data.length], data }]]);
const params = (...values: number[]): Params => wrap(Float64Array.from(values));
const values = (of: Params): number[] => [...of.get("w")!.data];
/** Bits, so that −0 is not 0. */
const bits = (of: Params): number[] => [...new Uint8Array(Float64Array.from(of.get("w")!.data).buffer)];

const plainSgd = sgd({ momentum: 0, weightDecay: 0 });
const exampleOf = (step: number): Example => ({
  id: `x.jsonl#${step + 1}`,
  tokens: Int32Array.of(0, 1),
  supervised: Uint8Array.of(0, 1),
});

/** An engine without a model: what the step says, counted. */
function engineOf(step: (w: readonly number[], call: number) => Partial<StepGradients> & { gradients: Params }) {
  const seen: number[][] = [];
  const engine: GradientEngine = {
    async step(adapter) {
      seen.push(values(adapter));
      return { loss: 1, count: 1, supervisedTokens: 1, metrics: {}, ...step(values(adapter), seen.length) };
    },
    dispose: async () => {},
  };
  return { engine, seen };
}

/** ½·curvature·|w − target|². */
const quadratic = (curvature: number, target: readonly number[]): GradientEngine =>
  engineOf((w) => ({ gradients: params(...w.map((x, i) => curvature * (x - target[i]!))) })).engine;

/** A slope that is the same everywhere. */
const linear = (...slope: number[]): GradientEngine => engineOf(() => ({ gradients: params(...slope) })).engine;

const train = (options: Partial<LocalTrainingOptions> & Pick<LocalTrainingOptions, "engine" | "adapter">) =>
  trainLocally({
    steps: 1,
    batch: (step) => [exampleOf(step)],
    optimizer: plainSgd,
    learningRate: 0.1,
    maxGradNorm: 0,
    localTerm: {},
    random: (...key) => stream(0, ...key),
    ...options,
  });

function expectClose(got: Params, expected: readonly number[]): void {
  expect(values(got)).toHaveLength(expected.length);
  for (const [i, value] of values(got).entries()) expect(value).toBeCloseTo(expected[i]!, 12);
}

/** A few dozen ordinary float32 numbers, with the zero that LoRA's B starts from. */
function float32s(name: string): Float32Array {
  const random = stream(7, name);
  return Float32Array.from({ length: 40 }, (_, i) => (i === 0 ? 0 : random.normal()));
}
const bumpy: GradientEngine = engineOf((w) => ({
  gradients: wrap(Float32Array.from(w, (x, i) => Math.sin(3 * x + i))),
})).engine;

describe("FedProx's pull, μ·(w − anchor)", () => {
  // Gradient curvature·(w − target) + μ·(w − anchor): descent closes in on the weighted mean of target and anchor.
  const [w0, target, anchor, curvature, mu, rate] = [3, -1, 2, 1.5, 0.5, 0.2];
  const centre = (curvature * target + mu * anchor) / (curvature + mu);

  test.each([1, 3])("%i steps down a quadratic, in closed form", async (steps) => {
    const localTerm = { proximal: { mu, anchor: params(anchor) } };
    const engine = quadratic(curvature, [target]);
    const { after } = await train({ engine, adapter: params(w0), steps, learningRate: rate, localTerm });
    expectClose(after, [centre + (1 - rate * (curvature + mu)) ** steps * (w0 - centre)]);
  });

  test("is nothing at all at the anchor, in float32 too: Adam would make a step of a rounding error", async () => {
    const adapter = wrap(float32s("adapter"));
    const still = engineOf((w) => ({ gradients: wrap(new Float32Array(w.length)) })).engine;
    const norms: number[] = [];
    const { after } = await train({
      engine: still,
      adapter,
      optimizer: adamW({ beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 }),
      localTerm: { proximal: { mu: 0.1, anchor: adapter } },
      onStep: ({ gradientNorm }) => norms.push(gradientNorm),
    });
    expect(norms).toEqual([0]);
    expect(values(after)).toEqual(values(adapter));
  });

  test("is added before clipping, and is in the norm that is reported", async () => {
    // Gradient (3, 0), pull 2·((1, 3) − (1, 1)) = (0, 4): norm 5, clipped to (0.6, 0.8).
    const norms: number[] = [];
    const { after } = await train({
      engine: linear(3, 0),
      adapter: params(1, 3),
      maxGradNorm: 1,
      localTerm: { proximal: { mu: 2, anchor: params(1, 1) } },
      onStep: ({ gradientNorm }) => norms.push(gradientNorm),
    });
    expectClose(after, [1 - (0.1 * 3) / 5.000001, 3 - (0.1 * 4) / 5.000001]);
    expect(norms).toEqual([5]);
  });

  test("with μ = 0 is no term at all, bit for bit", async () => {
    const anchor = wrap(float32s("anchor"));
    const run = (mu?: number) =>
      train({
        engine: bumpy,
        adapter: wrap(float32s("w")),
        steps: 3,
        optimizer: adamW({ beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 }),
        maxGradNorm: 0.5,
        localTerm: mu === undefined ? {} : { proximal: { mu, anchor } },
      });
    const [none, zero, some] = [await run(), await run(0), await run(0.01)];
    expect(bits(zero.after)).toEqual(bits(none.after));
    expect(bits(some.after)).not.toEqual(bits(none.after));
  });
});

describe("SCAFFOLD's correction, w −= lr·(c − cᵢ) after the optimizer", () => {
  test.each([1, 3])("%i steps down a quadratic, in closed form", async (steps) => {
    const [w0, target, curvature, correction, rate] = [3, -1, 1.5, 0.6, 0.2];
    const centre = target - correction / curvature;
    const localTerm = { correction: params(correction) };
    const engine = quadratic(curvature, [target]);
    const { after } = await train({ engine, adapter: params(w0), steps, learningRate: rate, localTerm });
    expectClose(after, [centre + (1 - rate * curvature) ** steps * (w0 - centre)]);
  });

  test("is not clipped with the gradient", async () => {
    const { after } = await train({
      engine: linear(3, 4),
      adapter: params(1, 1),
      maxGradNorm: 1,
      localTerm: { correction: params(10, -20) },
    });
    expectClose(after, [1 - 0.1 * (3 / 5.000001 + 10), 1 - 0.1 * (4 / 5.000001 - 20)]);
  });

  test.each([
    ["AdamW", adamW({ beta1: 0.9, beta2: 0.99, epsilon: 1e-3, weightDecay: 0 })],
    ["SGD with momentum", sgd({ momentum: 0.9, weightDecay: 0 })],
  ])("stays out of the moments of %s: K steps move K·lr·correction further", async (_name, optimizer) => {
    const run = (localTerm: LocalTrainingOptions["localTerm"]) =>
      train({ engine: linear(2, -0.5), adapter: params(1, 1), steps: 4, optimizer, localTerm });
    const [without, corrected] = [await run({}), await run({ correction: params(0.3, -0.7) })];
    const [a, b] = values(without.after);
    expectClose(corrected.after, [a! - 4 * 0.1 * 0.3, b! + 4 * 0.1 * 0.7]);
  });

  test("of zero is no term at all, bit for bit", async () => {
    const run = (correction?: Params) =>
      train({
        engine: bumpy,
        adapter: wrap(float32s("w")),
        steps: 3,
        maxGradNorm: 0.5,
        localTerm: correction === undefined ? {} : { correction },
      });
    const none = await run();
    expect(bits((await run(wrap(new Float32Array(40)))).after)).toEqual(bits(none.after));
    expect(bits((await run(wrap(new Float32Array(40).fill(1e-3)))).after)).not.toEqual(bits(none.after));
  });

  test("and the pull together, both with clipping", async () => {
    const { after } = await train({
      engine: linear(3, 0),
      adapter: params(1, 3),
      maxGradNorm: 1,
      localTerm: { proximal: { mu: 2, anchor: params(1, 1) }, correction: params(-5, 7) },
    });
    expectClose(after, [1 - 0.1 * (3 / 5.000001 - 5), 3 - 0.1 * (4 / 5.000001 + 7)]);
  });
});

describe("SCAFFOLD's drift, g + c − cᵢ before clipping and the optimizer", () => {
  test.each([1, 3])("%i steps of plain SGD are those of the correction, to rounding", async (steps) => {
    const run = (localTerm: LocalTrainingOptions["localTerm"]) =>
      train({ engine: quadratic(1.5, [-1, 2]), adapter: params(3, 0), steps, localTerm });
    const [inside, after] = [await run({ drift: params(0.6, -2) }), await run({ correction: params(0.6, -2) })];
    expectClose(inside.after, values(after.after));
  });

  test("is clipped with the gradient, and is in the norm that is reported", async () => {
    const norms: number[] = [];
    const { after } = await train({
      engine: linear(3, 0),
      adapter: params(1, 1),
      maxGradNorm: 1,
      localTerm: { drift: params(0, 4) },
      onStep: ({ gradientNorm }) => norms.push(gradientNorm),
    });
    expectClose(after, [1 - (0.1 * 3) / 5.000001, 1 - (0.1 * 4) / 5.000001]);
    expect(norms).toEqual([5]);
  });

  test("the mean gradient is option II's (x − y)/(K·η) − (c − cᵢ), float32", async () => {
    const drift = params(0.4, -1.2);
    const [rate, steps] = [0.2, 7];
    const { before, after, gradientMean } = await train({
      engine: quadratic(0.8, [-1, 2]),
      adapter: params(3, 0),
      steps,
      learningRate: rate,
      localTerm: { drift },
    });
    expect(gradientMean!.get("w")!.data).toBeInstanceOf(Float32Array);
    for (const [i, mean] of values(gradientMean!).entries()) {
      const moved = (values(before)[i]! - values(after)[i]!) / (steps * rate);
      expect(mean).toBeCloseTo(moved - values(drift)[i]!, 6);
    }
  });

  test("the mean gradient is without pull and clipping, over the steps taken, and only with a drift", async () => {
    const { engine } = engineOf((_w, call) => ({ gradients: call === 3 ? params(Number.NaN) : params(10 * call) }));
    const proximal = { mu: 5, anchor: params(9) };
    const options = { engine, adapter: params(0), steps: 5, maxGradNorm: 1 };
    const { gradientMean, steps } = await train({ ...options, localTerm: { proximal, drift: params(1) } });
    expect(steps).toBe(2);
    expect(values(gradientMean!)).toEqual([15]);
    const without = await train({ engine: linear(1), adapter: params(0), localTerm: { proximal } });
    expect(without.gradientMean).toBeUndefined();
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
      localTerm: { correction: params(1, 1) },
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
      localTerm: { proximal: { mu: 0.1, anchor: given.anchor }, correction: given.correction },
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
