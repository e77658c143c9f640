import { clipByGlobalNorm } from "../optim/clip.ts";
import type { LocalResult, LocalRule } from "../optim/local-rule.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import { trainedPart } from "../optim/trained-part.ts";
import { type Params, scale, toFloat32, withTensors, zerosLike, zipParams } from "../tensor/params.ts";
import type { RandomStream } from "../tensor/random.ts";
import type { TrainingItem } from "../data/items/registry.ts";
import type { GradientEngine } from "./gradient-engine.ts";
import { addTallies, type Tally } from "./tally.ts";

export interface LocalTrainingOptions {
  readonly engine: GradientEngine;
  readonly adapter: Params;
  readonly steps: number;
  /** Returns the items of a step, 0 the first: all items of one optimizer step, accumulated micro-steps included. */
  batch(step: number): readonly TrainingItem[];
  readonly optimizer: Optimizer;
  readonly learningRate: number;
  /** 0: no clipping. */
  readonly maxGradNorm: number;
  /** Changes that the federated algorithm makes to each step. */
  readonly localRule: LocalRule;
  /** Returns the streams for the dropout masks of a step. */
  random(step: number, ...key: (string | number)[]): RandomStream;
  onStep?(step: LocalStep): void;
  readonly signal?: AbortSignal | undefined;
}

export interface LocalStep {
  /** 1 is the first. */
  readonly step: number;
  /** Record ids, in order. */
  readonly records: readonly string[];
  readonly learningRate: number;
  readonly loss: number;
  /** The number that `loss` is a mean over: supervised tokens for `sft`, otherwise items. */
  readonly count: number;
  /** Before clipping, after the algorithm's `gradient`. */
  readonly gradientNorm: number;
  readonly supervisedTokens: number;
  readonly metrics: Tally;
  readonly seconds: number;
}

export interface LocalTrainingResult extends LocalResult {
  /** Mean over `count`. */
  readonly loss: number;
  /** Supervised tokens seen for `sft`, otherwise items. */
  readonly count: number;
  readonly supervisedTokens: number;
  /** The tallies of the steps, added up. */
  readonly metrics: Tally;
}

/**
 * Trains one client-round: `steps` optimizer steps from a fresh optimizer. It stops at the first step with a loss or
 * gradient that is not finite. The result then has a `loss` that is not finite, and the caller refuses it.
 *
 * @throws the signal's reason, between two steps, if it is aborted.
 */
export async function trainLocally(options: LocalTrainingOptions): Promise<LocalTrainingResult> {
  const { engine, optimizer, learningRate, localRule } = options;
  const trained = trainedPart(localRule);
  let params = options.adapter;
  let state = optimizer.init(trained(params));
  let lossSum = 0;
  let count = 0;
  let tokens = 0;
  let metrics: Tally = {};
  let gradientSum = localRule.keepsGradientMean === true ? zerosLike(params, Float64Array) : undefined;
  let taken = 0;
  for (; taken < options.steps; taken++) {
    options.signal?.throwIfAborted();
    const started = performance.now();
    const items = options.batch(taken);
    const step = await engine.step(params, items, (...key) => options.random(taken, ...key));
    const changed = localRule.gradient?.(step.gradients, params) ?? step.gradients;
    const { gradients, norm } = clipByGlobalNorm(trained(changed), options.maxGradNorm);
    lossSum += step.loss * step.count;
    count += step.count;
    metrics = addTallies(metrics, step.metrics);
    tokens += step.supervisedTokens;
    options.onStep?.({
      step: taken + 1,
      records: items.map(({ id }) => id),
      learningRate,
      loss: step.loss,
      count: step.count,
      gradientNorm: norm,
      supervisedTokens: step.supervisedTokens,
      metrics: step.metrics,
      seconds: (performance.now() - started) / 1000,
    });
    if (!Number.isFinite(step.loss) || !Number.isFinite(norm)) {
      lossSum = Number.NaN;
      break;
    }
    if (gradientSum !== undefined) gradientSum = zipParams(gradientSum, step.gradients, (sum, g) => sum + g);
    const next = optimizer.update(state, trained(params), gradients, learningRate);
    state = next.state;
    params = withTensors(params, next.params);
    params = localRule.step?.(params, learningRate) ?? params;
  }
  return {
    before: options.adapter,
    after: params,
    steps: taken,
    learningRateSum: taken * learningRate,
    gradientMean: gradientSum && toFloat32(scale(gradientSum, 1 / Math.max(taken, 1))),
    loss: lossSum / count,
    count,
    supervisedTokens: tokens,
    metrics,
  };
}
