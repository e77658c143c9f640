import type { LocalTask, LocalTrainer, TrainedClient } from "../federation/local-trainer.ts";
import { OPTIMIZERS } from "../optim/optimizer.ts";
import { secretStream } from "../privacy/secret-stream.ts";
import { stream } from "../tensor/random.ts";
import { fromHex } from "../secagg/bytes.ts";
import type { TrainingItem } from "../data/items/registry.ts";
import type { RecordGradientEngine } from "../train/record-gradients.ts";
import { trainPrivately } from "../train/private-training.ts";
import type { ExperimentConfig } from "../settings/schema.ts";
import type { RecordLedger } from "./record-ledger.ts";

/**
 * The LocalTrainer port with differential privacy for records (`privacy.record`): the client pays for the round, then takes
 * the steps of DP-SGD. It tells nothing of its records.
 */
export function privateTrainer(
  engine: () => Promise<RecordGradientEngine>,
  { training, seed }: Pick<ExperimentConfig, "training" | "seed">,
  itemsOf: (client: string) => Promise<readonly TrainingItem[]>,
  ledger: Pick<RecordLedger, "charge">,
): LocalTrainer {
  const optimizer = OPTIMIZERS[training.optimizer](training);
  return {
    async train(task: LocalTask): Promise<TrainedClient> {
      const started = performance.now();
      const { round, client } = task;
      const items = await itemsOf(client);
      const { key, rate, steps, clip, noiseMultiplier } = await ledger.charge(round, client, task.sent);
      task.onStart(steps);
      const result = await trainPrivately({
        engine: await engine(),
        adapter: task.adapter,
        steps,
        items,
        rate,
        noise: { clip, noiseMultiplier },
        secret: (step, use) => secretStream(fromHex(key), JSON.stringify(["record", client, round, step, use])),
        optimizer,
        learningRate: task.learningRate,
        localRule: task.localRule,
        random: (step, ...own) => stream(seed, "dropout", round, client, step, ...own),
        onStep: task.onStep,
        signal: task.signal,
      });
      return { ...result, seconds: (performance.now() - started) / 1000 };
    },
  };
}
