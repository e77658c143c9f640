import { clipByGlobalNorm } from "../optim/clip.ts";
import type { LocalResult, LocalTerm } from "../optim/local.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import { addScaled, type Params, scale } from "../tensor/params.ts";
import type { RandomStream } from "../tensor/random.ts";
import type { Example } from "./example.ts";
import type { GradientEngine } from "./gradient-engine.ts";

export interface LocalTrainingOptions {
  readonly engine: GradientEngine;
  readonly adapter: Params;
  readonly steps: number;
  /** The examples of a step, 0 the first: all that enter one optimizer step, accumulated micro-steps included. */
  batch(step: number): readonly Example[];
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
  /** Before clipping, the proximal pull included. */
  readonly gradientNorm: number;
  readonly supervisedTokens: number;
  readonly seconds: number;
}

export interface LocalTrainingResult extends LocalResult {
  /** Mean over all supervised tokens seen. */
  readonly loss: number;
  readonly supervisedTokens: number;
}

/**
 * One client-round: `steps` optimizer steps from a fresh optimizer. Stops early, with a non-finite `loss` in the result,
 * at the first step whose loss or gradient is not finite; the caller refuses such a result.
 *
 * @throws the signal's reason, between two steps, once it is aborted.
 */
export async function trainLocally(options: LocalTrainingOptions): Promise<LocalTrainingResult> {
  const { engine, optimizer, learningRate, localTerm } = options;
  const { drift } = localTerm;
  let gradientSum: Params | undefined;
  let params = options.adapter;
  let state = optimizer.init(params);
  let lossSum = 0;
  let tokens = 0;
  let taken = 0;
  for (; taken < options.steps; taken++) {
    options.signal?.throwIfAborted();
    const started = performance.now();
    const examples = options.batch(taken);
    const step = await engine.step(params, examples, (...key) => options.random(taken, ...key));
    if (drift !== undefined) gradientSum = gradientSum ? addScaled(gradientSum, 1, step.gradients) : step.gradients;
    const pulled = withProximalPull(step.gradients, params, localTerm);
    const { gradients, norm } = clipByGlobalNorm(
      drift === undefined ? pulled : addScaled(pulled, 1, drift),
      options.maxGradNorm,
    );
    lossSum += step.loss * step.supervisedTokens;
    tokens += step.supervisedTokens;
    options.onStep?.({
      step: taken + 1,
      records: examples.map(({ id }) => id),
      learningRate,
      loss: step.loss,
      gradientNorm: norm,
      supervisedTokens: step.supervisedTokens,
      seconds: (performance.now() - started) / 1000,
    });
    if (!Number.isFinite(step.loss) || !Number.isFinite(norm)) {
      lossSum = Number.NaN;
      break;
    }
    ({ params, state } = optimizer.update(state, params, gradients, learningRate));
    if (localTerm.correction !== undefined) params = addScaled(params, -learningRate, localTerm.correction);
  }
  return {
    before: options.adapter,
    after: params,
    steps: taken,
    learningRateSum: taken * learningRate,
    gradientMean: gradientSum && scale(gradientSum, 1 / taken),
    loss: lossSum / tokens,
    supervisedTokens: tokens,
  };
}

function withProximalPull(gradients: Params, params: Params, { proximal }: LocalTerm): Params {
  if (proximal === undefined) return gradients;
  return addScaled(addScaled(gradients, proximal.mu, params), -proximal.mu, proximal.anchor);
}
