import { batchAt, originalSample } from "../data/batches.ts";
import type { LocalTask, LocalTrainer, TrainedClient } from "../federation/local-trainer.ts";
import { OPTIMIZERS } from "../optim/optimizer.ts";
import { stream } from "../tensor/random.ts";
import type { TrainingItem } from "../data/items/registry.ts";
import type { GradientEngine } from "../train/gradient-engine.ts";
import { trainLocally } from "../train/local-training.ts";
import { meansOf } from "../train/tally.ts";
import type { ExperimentConfig } from "../settings/schema.ts";

/**
 * The LocalTrainer port on a gradient engine: a fresh optimizer each client-round, and batches that go on in the client's
 * own shuffled order where its last round left off.
 */
export function localTrainer(
  engine: () => Promise<GradientEngine>,
  { training, seed, fidelity }: Pick<ExperimentConfig, "training" | "seed" | "fidelity">,
  itemsOf: (client: string) => readonly TrainingItem[] | Promise<readonly TrainingItem[]>,
  share: ShareOfWork = { clients: 1, of: 1 },
): LocalTrainer {
  const perStep = training.batchSize * training.gradientAccumulation;
  const optimizer = OPTIMIZERS[training.optimizer](training);
  return {
    async train(task: LocalTask): Promise<TrainedClient> {
      const started = performance.now();
      const examples = await itemsOf(task.client);
      const steps = localSteps(training, examples.length, share);
      const first = task.earlierRounds * steps * perStep;
      const ownOrder = { client: task.client, examples, random: (...key: (string | number)[]) => stream(seed, ...key) };
      const drawn = fidelity === "original" ? originalSample(examples, task.round, steps * perStep) : undefined;
      task.onStart(steps);
      const result = await trainLocally({
        engine: await engine(),
        adapter: task.adapter,
        steps,
        batch: (step) => drawn?.(step * perStep, perStep) ?? batchAt(ownOrder, first + step * perStep, perStep),
        optimizer,
        learningRate: task.learningRate,
        maxGradNorm: training.maxGradNorm,
        localRule: task.localRule,
        random: (step, ...key) => stream(seed, "dropout", task.round, task.client, step, ...key),
        onStep: (step) => task.onStep({ ...step, metrics: meansOf(step.metrics) }),
        signal: task.signal,
      });
      const metrics = meansOf(result.metrics);
      return { ...result, metrics, examples: result.steps * perStep, seconds: (performance.now() - started) / 1000 };
    },
  };
}

/** For the centralized baseline: how many clients' work a round is, of all whose records the one client holds. */
export interface ShareOfWork {
  readonly clients: number;
  readonly of: number;
}

/** Optimizer steps of a client-round on this many records. */
export function localSteps(training: ExperimentConfig["training"], records: number, share: ShareOfWork): number {
  const { localSteps: fixed, localEpochs = 1 } = training;
  if (training.localEpochs === undefined && fixed !== undefined) return fixed * share.clients;
  const epochs = (localEpochs * share.clients) / share.of;
  const steps = (epochs * records) / (training.batchSize * training.gradientAccumulation);
  // Binary fractions: 0.56 epochs of 50 records by 4 are 7 steps, and a trifle more.
  return Math.max(1, Math.ceil(steps - 1e-9));
}
