import { batchAt } from "../data/batches.ts";
import type { LocalTask, LocalTrainer, TrainedClient } from "../federation/client.ts";
import { OPTIMIZERS } from "../optim/optimizer.ts";
import { stream } from "../tensor/random.ts";
import type { Example } from "../train/example.ts";
import type { GradientEngine } from "../train/gradient-engine.ts";
import { trainLocally } from "../train/local-training.ts";
import type { ExperimentConfig } from "./schema.ts";

/**
 * The LocalTrainer port on a gradient engine: a fresh optimizer each client-round, and batches that go on in the client's
 * own shuffled order where its last round left off.
 */
export function localTrainer(
  engine: () => Promise<GradientEngine>,
  { training, seed }: Pick<ExperimentConfig, "training" | "seed">,
  examplesOf: (client: string) => readonly Example[],
): LocalTrainer {
  const perStep = training.batchSize * training.gradientAccumulation;
  const optimizer = OPTIMIZERS[training.optimizer](training);
  return {
    async train(task: LocalTask): Promise<TrainedClient> {
      const started = performance.now();
      const examples = examplesOf(task.client);
      const steps = localSteps(training, examples.length);
      const first = task.earlierRounds * steps * perStep;
      task.onStart(steps);
      const result = await trainLocally({
        engine: await engine(),
        adapter: task.adapter,
        steps,
        batch: (step) =>
          batchAt(
            { client: task.client, examples, random: (...key) => stream(seed, ...key) },
            first + step * perStep,
            perStep,
          ),
        optimizer,
        learningRate: task.learningRate,
        maxGradNorm: training.maxGradNorm,
        localTerm: task.localTerm,
        random: (step, ...key) => stream(seed, "dropout", task.round, task.client, step, ...key),
        onStep: ({ count: _count, metrics: _metrics, ...report }) => task.onStep(report),
        signal: task.signal,
      });
      return { ...result, examples: result.steps * perStep, seconds: (performance.now() - started) / 1000 };
    },
  };
}

/** Optimizer steps of a client-round on this many records. */
function localSteps(training: ExperimentConfig["training"], records: number): number {
  if (training.localEpochs === undefined) return training.localSteps;
  const steps = (training.localEpochs * records) / (training.batchSize * training.gradientAccumulation);
  // Binary fractions: 0.56 epochs of 50 records by 4 are 7 steps, and a trifle more.
  return Math.max(1, Math.ceil(steps - 1e-9));
}
