import { expect } from "vitest";
import type { Example } from "../../src/data/example.ts";
import { sgd } from "../../src/optim/optimizer.ts";
import type { Floats, Params } from "../../src/tensor/params.ts";
import { stream } from "../../src/tensor/random.ts";
import type { GradientEngine, StepGradients } from "../../src/train/gradient-engine.ts";
import { type LocalTrainingOptions, type LocalTrainingResult, trainLocally } from "../../src/train/local-training.ts";

export const wrap = (data: Floats): Params => new Map([["w", { shape: [data.length], data }]]);
export const params = (...values: number[]): Params => wrap(Float64Array.from(values));
export const values = (of: Params): number[] => [...of.get("w")!.data];
/** Bits, so that −0 is not 0. */
export const bits = (of: Params): number[] => [...new Uint8Array(Float64Array.from(of.get("w")!.data).buffer)];

const plainSgd = sgd({ momentum: 0, weightDecay: 0 });
export const exampleOf = (step: number): Example => ({
  id: `x.jsonl#${step + 1}`,
  tokens: Int32Array.of(0, 1),
  supervised: Uint8Array.of(0, 1),
});

/** An engine without a model: what the step says, counted. */
export function engineOf(step: (w: readonly number[], call: number) => Partial<StepGradients> & { gradients: Params }) {
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
export const quadratic = (curvature: number, target: readonly number[]): GradientEngine =>
  engineOf((w) => ({ gradients: params(...w.map((x, i) => curvature * (x - target[i]!))) })).engine;

/** A slope that is the same everywhere. */
export const linear = (...slope: number[]): GradientEngine => engineOf(() => ({ gradients: params(...slope) })).engine;

export const train = (
  options: Partial<LocalTrainingOptions> & Pick<LocalTrainingOptions, "engine" | "adapter">,
): Promise<LocalTrainingResult> =>
  trainLocally({
    steps: 1,
    batch: (step) => [exampleOf(step)],
    optimizer: plainSgd,
    learningRate: 0.1,
    maxGradNorm: 0,
    localRule: {},
    random: (...key) => stream(0, ...key),
    ...options,
  });

export function expectClose(got: Params, expected: readonly number[]): void {
  expect(values(got)).toHaveLength(expected.length);
  for (const [i, value] of values(got).entries()) expect(value).toBeCloseTo(expected[i]!, 12);
}

/** A few dozen ordinary float32 numbers, with the zero that LoRA's B starts from. */
export function float32s(name: string): Float32Array {
  const random = stream(7, name);
  return Float32Array.from({ length: 40 }, (_, i) => (i === 0 ? 0 : random.normal()));
}
export const bumpy: GradientEngine = engineOf((w) => ({
  gradients: wrap(Float32Array.from(w, (x, i) => Math.sin(3 * x + i))),
})).engine;
