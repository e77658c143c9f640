import { poissonSample } from "../privacy/poisson-sample.ts";
import type { SecretStream } from "../privacy/secret-stream.ts";
import type { LocalResult, LocalRule } from "../optim/local-rule.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import { trainedPart } from "../optim/trained-part.ts";
import { scale, toFloat32, withTensors, zerosLike, zipParams, type Params } from "../tensor/params.ts";
import type { RandomStream } from "../tensor/random.ts";
import type { TrainingItem } from "../data/items/registry.ts";
import { privateGradient, type StepNoise } from "./private-step.ts";
import type { RecordGradientEngine } from "./record-gradients.ts";

export interface PrivateTrainingOptions {
  readonly engine: RecordGradientEngine;
  readonly adapter: Params;
  readonly steps: number;
  /** All records of the client. */
  readonly items: readonly TrainingItem[];
  /** q: the probability with which a record is in a step. The expected batch is q·items. */
  readonly rate: number;
  readonly noise: Omit<StepNoise, "expectedBatch">;
  /** Gives the secret streams of a step. The same step of the same round has the same, so a restart repeats it. */
  secret(step: number, use: "coins" | "noise"): Promise<SecretStream>;
  readonly optimizer: Optimizer;
  readonly learningRate: number;
  /** Changes that the federated algorithm makes to each step, after the noise. */
  readonly localRule: LocalRule;
  /** Returns the streams for the dropout masks of a step, keyed by the record. */
  random(step: number, ...key: (string | number)[]): RandomStream;
  onStep?(step: PrivateStep): void;
  readonly signal?: AbortSignal | undefined;
}

/** A step as it may be told: nothing of its records, of their number or of their loss. */
export interface PrivateStep {
  /** 1 is the first. */
  readonly step: number;
  readonly learningRate: number;
  readonly seconds: number;
}

/**
 * Trains one client-round with DP-SGD (Abadi et al. 2016, arXiv 1607.00133, alg. 1) from a fresh optimizer. Each step draws its
 * records by secret coins, clips the gradient of each and adds noise once. All else comes after the noise and costs no
 * privacy: the algorithm's changes, weight decay, the optimizer; and the mean gradient is one of noised gradients.
 *
 * @throws the signal's reason, between two steps, if it is aborted.
 */
export async function trainPrivately(options: PrivateTrainingOptions): Promise<LocalResult> {
  const { engine, items, rate, optimizer, learningRate, localRule } = options;
  const noise: StepNoise = { ...options.noise, expectedBatch: rate * items.length };
  const trained = trainedPart(localRule);
  let params = options.adapter;
  let state = optimizer.init(trained(params));
  let gradientSum = localRule.keepsGradientMean === true ? zerosLike(trained(params), Float64Array) : undefined;
  for (let step = 0; step < options.steps; step++) {
    options.signal?.throwIfAborted();
    const started = performance.now();
    const drawn = await poissonSample(await options.secret(step, "coins"), items.length, rate);
    const gradient = await privateGradient(
      engine,
      params,
      drawn.map((i) => items[i]!),
      (...key) => options.random(step, ...key),
      noise,
      await options.secret(step, "noise"),
      trained,
    );
    if (gradientSum !== undefined) gradientSum = zipParams(gradientSum, gradient, (sum, g) => sum + g);
    const changed = localRule.gradient?.(gradient, params) ?? gradient;
    const next = optimizer.update(state, trained(params), changed, learningRate);
    state = next.state;
    params = withTensors(params, next.params);
    params = localRule.step?.(params, learningRate) ?? params;
    options.onStep?.({ step: step + 1, learningRate, seconds: (performance.now() - started) / 1000 });
  }
  return {
    before: options.adapter,
    after: params,
    steps: options.steps,
    learningRateSum: options.steps * learningRate,
    gradientMean: gradientSum && toFloat32(scale(gradientSum, 1 / options.steps)),
  };
}
