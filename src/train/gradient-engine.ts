import { FETCHES, gradientFetch } from "../model/feeds.ts";
import { trainingGraph } from "../model/language-model.ts";
import type { Params, Tensor } from "../tensor/params.ts";
import type { TrainingItem } from "../data/items/registry.ts";
import { type DropoutStreams, openTraining, runMicroBatches, type TrainingOptions } from "./micro-batch-runs.ts";
import type { ScoreSequences } from "./objective.ts";
import { scoresOf } from "./scorer.ts";
import { sft } from "./sft.ts";
import { addTallies, type Tally } from "./tally.ts";

export interface GradientEngineOptions extends TrainingOptions {
  /**
   * A scorer's `score`. Only an objective with a `divergence` (`kto`) calls it, once before each step. The scorer may be
   * opened by the first call.
   */
  readonly score?: ScoreSequences | undefined;
}

export interface StepGradients {
  /** The objective's mean over the step; for `sft`, nats per supervised token. */
  readonly loss: number;
  /** The number that `loss` is a mean over: supervised tokens for `sft`, otherwise items. */
  readonly count: number;
  /** Supervised tokens of all sequences of the loss. */
  readonly supervisedTokens: number;
  /** Gradient of `loss` for every adapter tensor. */
  readonly gradients: Params;
  /** Rewards and other metrics of the step's items, at the adapter before the step; empty for `sft`. */
  readonly metrics: Tally;
}

/** Computes loss and gradients of one frozen base with any adapter of one shape. A thousand clients share one engine. */
export interface GradientEngine {
  /**
   * Computes the loss and gradients of one step.
   *
   * @param dropout gives the streams of this step's dropout masks; unused when the dropout is 0.
   */
  step(adapter: Params, items: readonly TrainingItem[], dropout: DropoutStreams): Promise<StepGradients>;
  dispose(): Promise<void>;
}

export async function openGradientEngine(options: GradientEngineOptions): Promise<GradientEngine> {
  const { objective = sft, score } = options;
  if (objective.divergence !== undefined && score === undefined) {
    throw new Error(`${objective.name} scores the model before each step: pass the \`score\` of a scorer`);
  }
  const training = await openTraining(trainingGraph, { ...options, objective });

  return {
    async step(adapter, items, dropoutStream) {
      const total = items.reduce((sum, item) => sum + objective.count(item), 0);
      if (total === 0) throw new Error("a step needs at least one supervised token");
      const divergence = (await objective.divergence?.(items, (others) => score!(adapter, others))) ?? 0;
      let loss = 0;
      let tokens = 0;
      let metrics: Tally = {};
      const sums = new Map<string, Tensor>();
      const runs = runMicroBatches(training, adapter, items, {
        facts: () => ({ total, divergence, items }),
        fetches: [FETCHES.loss, FETCHES.logProbabilities, ...[...adapter.keys()].map(gradientFetch)],
        // By the sequence's place in the step: the split into micro-batches does not change the masks.
        mask: (place, s, name) => dropoutStream(place * objective.sequences(items[place]!).length + s, name),
      });
      for await (const { places, batch, results } of runs) {
        tokens += batch.labels.data.length;
        loss += Number(results.get(FETCHES.loss)!.data[0]);
        const scores = scoresOf(results.get(FETCHES.logProbabilities)!.data as Float32Array, batch.counts);
        for (const item of places.map((i) => items[i]!)) {
          const own = scores.splice(0, objective.sequences(item).length);
          metrics = addTallies(metrics, objective.evaluate(item, own, divergence).metrics);
        }
        for (const [name, { shape }] of adapter) {
          const gradient = results.get(gradientFetch(name))!.data as Float32Array;
          const sum = sums.get(name);
          if (sum === undefined) sums.set(name, { shape, data: gradient });
          else for (let i = 0; i < gradient.length; i++) sum.data[i]! += gradient[i]!;
        }
      }
      return { loss, count: total, supervisedTokens: tokens, gradients: sums, metrics };
    },
    dispose: () => training.session.dispose(),
  };
}
