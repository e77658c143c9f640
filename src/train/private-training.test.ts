import { describe, expect, test } from "vitest";
import { pullTo } from "../algorithms/fedprox.ts";
import { withDrift } from "../algorithms/scaffold.ts";
import type { LocalResult } from "../optim/local-rule.ts";
import { sgd } from "../optim/optimizer.ts";
import { secretStream } from "../privacy/secret-stream.ts";
import type { Params } from "../tensor/params.ts";
import { stream } from "../tensor/random.ts";
import { exampleOf, expectClose, params, train, values } from "../../test/support/quadratic.ts";
import type { GradientEngine } from "./gradient-engine.ts";
import { type PrivateStep, type PrivateTrainingOptions, trainPrivately } from "./private-training.ts";
import type { RecordGradientEngine } from "./record-gradients.ts";

/** Ten records; that of place i pulls to i. */
const items = Array.from({ length: 10 }, (_, i) => ({ ...exampleOf(i), id: String(i) }));
const batches: string[][] = [];
const engine: RecordGradientEngine = {
  async each(adapter, drawn, _dropout, take) {
    batches.push(drawn.map(({ id }) => id));
    const [w] = values(adapter);
    for (const [place, { id }] of drawn.entries()) take(place, params(w! - Number(id)));
  },
  dispose: async () => {},
};

async function trained(options: Partial<PrivateTrainingOptions> = {}, key = 1) {
  batches.length = 0;
  const steps: PrivateStep[] = [];
  const result: LocalResult = await trainPrivately({
    engine,
    adapter: params(1),
    steps: 4,
    items,
    rate: 0.3,
    noise: { clip: 1, noiseMultiplier: 2 },
    secret: (...use) => secretStream(new Uint8Array(32).fill(key), use.join()),
    optimizer: sgd({ momentum: 0, weightDecay: 0 }),
    learningRate: 0.1,
    localRule: {},
    random: (...own) => stream(0, ...own),
    onStep: (step) => steps.push(step),
    ...options,
  });
  return { result, steps, batches: [...batches] };
}

test("no noise, no bound and every record in every step is plain training", async () => {
  const { result } = await trained({
    rate: 1,
    noise: { clip: Infinity, noiseMultiplier: 0 },
    localRule: pullTo(params(3), 0.5),
  });
  const plain: GradientEngine = {
    step: async (adapter) => ({
      gradients: params(values(adapter)[0]! - 4.5),
      loss: 0,
      count: 10,
      supervisedTokens: 10,
      metrics: {},
    }),
    dispose: async () => {},
  };
  const expected = await train({ engine: plain, adapter: params(1), steps: 4, localRule: pullTo(params(3), 0.5) });
  expect(values(result.after)[0]).toBeCloseTo(values(expected.after)[0]!, 5);
  expect(result).toMatchObject({ steps: 4, learningRateSum: 0.4 });
});

describe("the records of a step", () => {
  test("are drawn by coins: their number varies, and over many steps each is in its share of them", async () => {
    const { batches: drawn } = await trained({ steps: 400 });
    const sizes = new Set(drawn.map(({ length }) => length));
    expect(sizes.size).toBeGreaterThan(4);
    for (const { id } of items) {
      const share = drawn.filter((batch) => batch.includes(id)).length / 400;
      expect(Math.abs(share - 0.3)).toBeLessThan(4 * Math.sqrt((0.3 * 0.7) / 400));
    }
  });

  test("may be none: the step is noise all the same", async () => {
    const { result, batches: drawn, steps } = await trained({ rate: 1e-9 });
    expect(drawn).toEqual([[], [], [], []]);
    expect(steps).toHaveLength(4);
    expect(values(result.after)).not.toEqual([1]);
  });

  test("are the same again with the same key, with the same noise, and others with another", async () => {
    const [one, again, other] = [await trained(), await trained(), await trained({}, 2)];
    expect(again.batches).toEqual(one.batches);
    expect(values(again.result.after)).toEqual(values(one.result.after));
    expect(other.batches).not.toEqual(one.batches);
    expect(values(other.result.after)).not.toEqual(values(one.result.after));
  });

  test("are told nothing of", async () => {
    const { steps } = await trained();
    for (const step of steps) expect(Object.keys(step)).toEqual(["step", "learningRate", "seconds"]);
  });
});

describe("after the noise", () => {
  test("comes what the algorithm adds; the mean gradient that a client keeps is one of noised gradients, without it", async () => {
    const [plain, drifted] = [
      await trained({ steps: 1 }),
      await trained({ steps: 1, localRule: withDrift(params(100)) }),
    ];
    const moved = values(plain.result.after)[0]! - values(drifted.result.after)[0]!;
    expect(moved).toBeCloseTo(0.1 * 100, 4);
    expectClose(
      drifted.result.gradientMean!,
      [Math.fround((1 - values(plain.result.after)[0]!) / 0.1)].map((x) => x),
    );
  });

  test("comes weight decay", async () => {
    const options = { steps: 1 };
    const plain = await trained(options);
    const decayed = await trained({ ...options, optimizer: sgd({ momentum: 0, weightDecay: 1000 }) });
    expect(values(plain.result.after)[0]! - values(decayed.result.after)[0]!).toBeCloseTo(0.1 * 1000, 4);
  });
});

describe("a tensor that does not train", () => {
  const two = (w: number, frozen: number): Params =>
    new Map(
      [...params(w)].flatMap(([name, tensor]) => [
        [name, tensor],
        ["frozen", { shape: [1], data: Float32Array.of(frozen) }],
      ]),
    );
  const both: RecordGradientEngine = {
    ...engine,
    each: (adapter, drawn, dropout, take) =>
      engine.each(adapter, drawn, dropout, (place, gradient) => take(place, two(values(gradient)[0]!, 1e6))),
  };
  const localRule = { frozen: (name: string) => name === "frozen", keepsGradientMean: true };

  test("stays to the bit, counts in no record's norm and has no noise: the other trains as it does alone", async () => {
    for (const noiseMultiplier of [0, 2]) {
      const noise = { clip: 1, noiseMultiplier };
      const alone = await trained({ noise, localRule: { keepsGradientMean: true } });
      const beside = await trained({ engine: both, adapter: two(1, 0.1), noise, localRule });
      expect(beside.result.after.get("frozen")!.data).toEqual(Float32Array.of(0.1));
      expect(values(beside.result.after)[0]).toBe(values(alone.result.after)[0]);
      expect([...beside.result.gradientMean!.keys()]).toEqual([...params(1).keys()]);
    }
  });
});

test("an abort signal stops before the next step", async () => {
  const stop = new AbortController();
  const reason = new Error("enough");
  await expect(trained({ signal: stop.signal, onStep: ({ step }) => step === 2 && stop.abort(reason) })).rejects.toBe(
    reason,
  );
  expect(batches).toHaveLength(2);
});
