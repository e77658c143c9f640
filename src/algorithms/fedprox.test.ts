import * as fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { clients, inOrder, start } from "../../test/support/clients.ts";
import {
  bits as playedBits,
  double,
  expectGolden,
  made,
  play,
  SETTINGS,
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
import { adamW } from "../optim/optimizer.ts";
import { pullTo } from "./fedprox.ts";

it("fidelity original gives OpenFedLLM's numbers, three rounds, to 1e-9", () => expectGolden("fedprox"));

it("pulls towards what was received: gradient + 0.01·(y − w)", () => {
  const received = { round: 1, adapter: double([1]), extra: {} };
  const rule = made("fedprox", SETTINGS).localRule(received, {});
  expect(valuesOf(rule.gradient!(double([5]), double([3])))).toEqual([5 + 0.01 * 2]);
  expect(Object.keys(rule)).toEqual(["gradient"]);
});

it("μ = 0 is FedAvg: the same server, and a pull of no strength", async () => {
  await fc.assert(
    fc.asyncProperty(clients, async (list) => {
      const rounds = [inOrder(list), inOrder(list)];
      const fedavg = (await play("fedavg", SETTINGS, start, rounds)).global;
      expect(playedBits((await play("fedprox", { ...SETTINGS, proxMu: 0 }, start, rounds)).global)).toEqual(
        playedBits(fedavg),
      );
      const rule = made("fedprox", { ...SETTINGS, proxMu: 0 }).localRule({ round: 1, adapter: start, extra: {} }, {});
      expect(valuesOf(rule.gradient!(start, fedavg))).toEqual(valuesOf(start));
    }),
  );
});

describe("FedProx's pull, μ·(w − anchor)", () => {
  // Gradient curvature·(w − target) + μ·(w − anchor): descent closes in on the weighted mean of target and anchor.
  const [w0, target, anchor, curvature, mu, rate] = [3, -1, 2, 1.5, 0.5, 0.2];
  const centre = (curvature * target + mu * anchor) / (curvature + mu);

  test.each([1, 3])("%i steps down a quadratic, in closed form", async (steps) => {
    const localRule = pullTo(params(anchor), mu);
    const engine = quadratic(curvature, [target]);
    const { after } = await train({ engine, adapter: params(w0), steps, learningRate: rate, localRule });
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
      localRule: pullTo(adapter, 0.1),
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
      localRule: pullTo(params(1, 1), 2),
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
        localRule: mu === undefined ? {} : pullTo(anchor, mu),
      });
    const [none, zero, some] = [await run(), await run(0), await run(0.01)];
    expect(bits(zero.after)).toEqual(bits(none.after));
    expect(bits(some.after)).not.toEqual(bits(none.after));
  });
});
