import { clipByGlobalNorm } from "../optim/clip.ts";
import type { LocalResult, LocalTerm } from "../optim/local-rule.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import { addScaled, scale, subtract, toFloat32, zipParams, type Params } from "../tensor/params.ts";
import type { RandomStream } from "../tensor/random.ts";
import type { TrainingItem } from "../data/example.ts";
import type { GradientEngine } from "./gradient-engine.ts";
import { addTallies, type Tally } from "./tally.ts";

export interface LocalTrainingOptions {
  readonly engine: GradientEngine;
  readonly adapter: Params;
  readonly steps: number;
  /** The items of a step, 0 the first: all that enter one optimizer step, accumulated micro-steps included. */
  batch(step: number): readonly TrainingItem[];
  readonly optimizer: Optimizer;
  readonly learningRate: number;
  /** 0: no clipping. */
  readonly maxGradNorm: number;
  readonly localTerm: LocalTerm;
  /** Streams for the dropout masks of a step. */
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
  /** What `loss` is a mean over: supervised tokens for `sft`, otherwise items. */
  readonly count: number;
  /** Before clipping, proximal pull and drift included. */
  readonly gradientNorm: number;
  readonly supervisedTokens: number;
  readonly metrics: Tally;
  readonly seconds: number;
}

export interface LocalTrainingResult extends LocalResult {
  /** Mean over all that `count` counts. */
  readonly loss: number;
  /** Supervised tokens seen for `sft`, otherwise items. */
  readonly count: number;
  readonly supervisedTokens: number;
  /** Those of the steps, added up. */
  readonly metrics: Tally;
}

/**
 * One client-round: `steps` optimizer steps from a fresh optimizer. Stops early, with a non-finite `loss` in the result,
 * at the first step whose loss or gradient is not finite; the caller refuses such a result.
 *
 * @throws the signal's reason, between two steps, once it is aborted.
 */
export async function trainLocally(options: LocalTrainingOptions): Promise<LocalTrainingResult> {
  const { engine, optimizer, learningRate, localTerm } = options;
  let params = options.adapter;
  let state = optimizer.init(params);
  let lossSum = 0;
  let count = 0;
  let tokens = 0;
  let metrics: Tally = {};
  let gradientSum = localTerm.drift === undefined ? undefined : zeros64(params);
  let taken = 0;
  for (; taken < options.steps; taken++) {
    options.signal?.throwIfAborted();
    const started = performance.now();
    const items = options.batch(taken);
    const step = await engine.step(params, items, (...key) => options.random(taken, ...key));
    const { gradients, norm } = clipByGlobalNorm(withLocalTerm(step.gradients, params, localTerm), options.maxGradNorm);
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
    ({ params, state } = optimizer.update(state, params, gradients, learningRate));
    if (localTerm.correction !== undefined) params = addScaled(params, -learningRate, localTerm.correction);
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

function withLocalTerm(gradients: Params, params: Params, { proximal, drift }: LocalTerm): Params {
  // The distance first: at the anchor the pull is nothing at all, and Adam makes a whole step of the least rounding error.
  const pulled =
    proximal === undefined ? gradients : addScaled(gradients, proximal.mu, subtract(params, proximal.anchor));
  return drift === undefined ? pulled : addScaled(pulled, 1, drift);
}

function zeros64(like: Params): Params {
  return new Map([...like].map(([name, { shape, data }]) => [name, { shape, data: new Float64Array(data.length) }]));
}
