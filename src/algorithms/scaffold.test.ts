import * as fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { clients, inOrder, start } from "../../test/support/clients.ts";
import {
  afterRounds,
  bits as playedBits,
  close,
  double,
  golden,
  GOLDEN_START,
  made,
  ORIGINAL,
  play,
  server,
  SERVER,
  SETTINGS,
  UNSET,
  values as valuesOf,
} from "../../test/support/play.ts";
import {
  bits,
  bumpy,
  engineOf,
  expectClose,
  float32s,
  linear,
  params,
  quadratic,
  train,
  values,
  wrap,
} from "../../test/support/quadratic.ts";
import type { LocalRule } from "../optim/local-rule.ts";
import { adamW, sgd } from "../optim/optimizer.ts";
import type { Groups } from "../tensor/groups.ts";
import { addScaled, type Params } from "../tensor/params.ts";
import type { LocalTrainingOptions } from "../train/local-training.ts";
import { pullTo } from "./fedprox.ts";
import { withCorrection, withDrift } from "./scaffold.ts";

it("fidelity original gives OpenFedLLM's c, every client's c_i, and the adapter, three rounds, to 1e-9", async () => {
  const { K, lr, client_dir, rounds } = golden.algs.scaffold;
  const algorithm = made("scaffold", ORIGINAL);
  let global = GOLDEN_START;
  let state = algorithm.init(global);
  const memories = new Map<number, Groups>();
  for (const want of rounds) {
    const received = { round: 1, adapter: global, extra: algorithm.broadcast(state, 1) };
    const updates = want.selected.map((k): [Groups, number] => {
      const kept = memories.get(k) ?? {};
      const rule = algorithm.localRule(received, kept);
      let after = global;
      // Their stand-in for AdamW moves by a fixed direction; the correction comes after each step.
      for (let step = 0; step < K; step++) after = rule.step!(addScaled(after, -lr, double(client_dir[k]!)), lr);
      const { update, memory } = algorithm.report(
        { before: global, after, steps: K, learningRateSum: K * lr },
        received,
        kept,
      );
      memories.set(k, memory);
      return [update, golden.shard_sizes[k]!];
    });
    ({ global, state } = await server(algorithm, { global, state, population: 3 }, updates));
    close(valuesOf(global), want.global);
    close(valuesOf(state["control"]), want.c!);
    want.c_i!.forEach((c, k) => close(memories.has(k) ? valuesOf(memories.get(k)!["control"]) : [0, 0, 0], c));
  }
});

it("y uniform; c = Σ(c_i⁺ − c_i)/N with N = 4; the next round's drift is c − c_i", async () => {
  const algorithm = made("scaffold", SETTINGS);
  // gradientMean is −offset here, so c_i = −0.02 and −0.06, and c = (−0.02 − 0.06)/4 = −0.02.
  const { global, state, memories } = await afterRounds("scaffold", 1, { server: UNSET });
  close(valuesOf(global), [1.04], 1e-15);
  close(valuesOf(state["control"]), [-0.02], 1e-15);
  const received = { round: 1, adapter: global, extra: algorithm.broadcast(state, 1) };
  const rule = algorithm.localRule(received, memories.get(1)!);
  close(valuesOf(rule.gradient!(double([0]), global)), [0.04], 1e-15);
  expect(rule.keepsGradientMean).toBe(true);
  // η_g = 0.5 goes half the way.
  close(
    valuesOf((await afterRounds("scaffold", 1, { server: { ...SERVER, learningRate: 0.5 } })).global),
    [1.02],
    1e-15,
  );
});

it.each([
  ["paper", "uniform"],
  ["original", "records"],
] as const)("its first round is FedAvg's (%s, weights %s): no drift, the same mean", async (fidelity, weighting) => {
  await fc.assert(
    fc.asyncProperty(clients, async (list) => {
      const rounds = [inOrder(list)];
      const { global } = await play("scaffold", { ...SETTINGS, fidelity }, start, rounds);
      expect(playedBits(global)).toEqual(
        playedBits((await play("fedavg", { ...SETTINGS, weighting }, start, rounds)).global),
      );
    }),
  );
  const algorithm = made("scaffold", { ...SETTINGS, fidelity });
  const received = { round: 1, adapter: start, extra: algorithm.broadcast(algorithm.init(start), 1) };
  const { gradient, step } = algorithm.localRule(received, {});
  const zeros = double([0, 0, 0, 0]);
  expect(valuesOf(gradient?.(zeros, start) ?? step!(zeros, -1))).toEqual([0, 0, 0, 0]);
});

describe("SCAFFOLD's correction, w −= lr·(c − cᵢ) after the optimizer", () => {
  test.each([1, 3])("%i steps down a quadratic, in closed form", async (steps) => {
    const [w0, target, curvature, correction, rate] = [3, -1, 1.5, 0.6, 0.2];
    const centre = target - correction / curvature;
    const localRule = withCorrection(params(correction));
    const engine = quadratic(curvature, [target]);
    const { after } = await train({ engine, adapter: params(w0), steps, learningRate: rate, localRule });
    expectClose(after, [centre + (1 - rate * curvature) ** steps * (w0 - centre)]);
  });

  test("is not clipped with the gradient", async () => {
    const { after } = await train({
      engine: linear(3, 4),
      adapter: params(1, 1),
      maxGradNorm: 1,
      localRule: withCorrection(params(10, -20)),
    });
    expectClose(after, [1 - 0.1 * (3 / 5.000001 + 10), 1 - 0.1 * (4 / 5.000001 - 20)]);
  });

  test.each([
    ["AdamW", adamW({ beta1: 0.9, beta2: 0.99, epsilon: 1e-3, weightDecay: 0 })],
    ["SGD with momentum", sgd({ momentum: 0.9, weightDecay: 0 })],
  ])("stays out of the moments of %s: K steps move K·lr·correction further", async (_name, optimizer) => {
    const run = (localRule: LocalTrainingOptions["localRule"]) =>
      train({ engine: linear(2, -0.5), adapter: params(1, 1), steps: 4, optimizer, localRule });
    const [without, corrected] = [await run({}), await run(withCorrection(params(0.3, -0.7)))];
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
        localRule: correction === undefined ? {} : withCorrection(correction),
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
      localRule: { ...pullTo(params(1, 1), 2), ...withCorrection(params(-5, 7)) },
    });
    expectClose(after, [1 - 0.1 * (3 / 5.000001 - 5), 3 - 0.1 * (4 / 5.000001 + 7)]);
  });
});

describe("SCAFFOLD's drift, g + c − cᵢ before clipping and the optimizer", () => {
  test.each([1, 3])("%i steps of plain SGD are those of the correction, to rounding", async (steps) => {
    const run = (localRule: LocalTrainingOptions["localRule"]) =>
      train({ engine: quadratic(1.5, [-1, 2]), adapter: params(3, 0), steps, localRule });
    const [inside, after] = [await run(withDrift(params(0.6, -2))), await run(withCorrection(params(0.6, -2)))];
    expectClose(inside.after, values(after.after));
  });

  test("is clipped with the gradient, and is in the norm that is reported", async () => {
    const norms: number[] = [];
    const { after } = await train({
      engine: linear(3, 0),
      adapter: params(1, 1),
      maxGradNorm: 1,
      localRule: withDrift(params(0, 4)),
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
      localRule: withDrift(drift),
    });
    expect(gradientMean!.get("w")!.data).toBeInstanceOf(Float32Array);
    for (const [i, mean] of values(gradientMean!).entries()) {
      const moved = (values(before)[i]! - values(after)[i]!) / (steps * rate);
      expect(mean).toBeCloseTo(moved - values(drift)[i]!, 6);
    }
  });

  test("the mean gradient is without pull and clipping, over the steps taken, and only with a drift", async () => {
    const { engine } = engineOf((_w, call) => ({ gradients: call === 3 ? params(Number.NaN) : params(10 * call) }));
    const pull = pullTo(params(9), 5);
    const drift = withDrift(params(1));
    const both: LocalRule = { ...drift, gradient: (g, w) => drift.gradient!(pull.gradient!(g, w), w) };
    const options = { engine, adapter: params(0), steps: 5, maxGradNorm: 1 };
    const { gradientMean, steps } = await train({ ...options, localRule: both });
    expect(steps).toBe(2);
    expect(values(gradientMean!)).toEqual([15]);
    const without = await train({ engine: linear(1), adapter: params(0), localRule: pull });
    expect(without.gradientMean).toBeUndefined();
  });
});
