/**
 * Federated averaging in a page: the quickstart's loop without files, events, resumption or a command line. It gives the
 * same adapter, bit for bit (test/by-hand.test.ts says so).
 *
 *   npm run build && npm run example:by-hand
 */
import {
  type TrainingItem,
  type ExperimentConfig,
  type Params,
  type Platform,
  encodeSafetensors,
  initAdapter,
  nodePlatform,
  openGradientEngine,
  OPTIMIZERS,
  prepareExperiment,
  readConfigFile,
  SCHEDULES,
  sha256,
  stream,
  trainLocally,
} from "openfedllm";

export async function fedavgByHand(config: ExperimentConfig, platform: Platform): Promise<string> {
  const { model, lora, clients } = await prepareExperiment(config, platform);
  const { training, federation, seed } = config;
  const engine = await openGradientEngine({
    runtime: platform.runtime,
    modelConfig: model.modelConfig,
    weights: model.weights,
    lora,
    dropout: config.adapter.dropout,
    maxLength: config.data.maxLength,
    microBatchTokens: training.microBatchTokens,
  });
  const { localSteps } = training;
  if (localSteps === undefined) throw new Error("this page counts rounds in steps: set training.localSteps");
  let global: Params = initAdapter(config.adapter, model.modelConfig, seed);

  for (let round = 1; round <= federation.rounds; round++) {
    const learningRate = SCHEDULES[training.schedule](training, round, federation.rounds);
    const trained: { adapter: Params; records: number }[] = [];
    for (const client of clients.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      // A client goes through its own records in its own order, epoch after epoch, and goes on where it left off.
      const first = (round - 1) * localSteps * training.batchSize;
      const { after } = await trainLocally({
        engine,
        adapter: global,
        steps: localSteps,
        batch: (step) => recordsAt(client, first + step * training.batchSize, training.batchSize, seed),
        optimizer: OPTIMIZERS[training.optimizer](training),
        learningRate,
        maxGradNorm: training.maxGradNorm,
        localRule: {},
        random: (step, ...key) => stream(seed, "dropout", round, client.name, step, ...key),
      });
      trained.push({ adapter: after, records: client.train.length });
    }
    global = weightedMean(trained);
    console.log(`round ${round} of ${federation.rounds} done`);
  }
  await engine.dispose();
  return sha256(encodeSafetensors(global, { format: "pt" }));
}

function recordsAt(
  { name, train }: { name: string; train: readonly TrainingItem[] },
  start: number,
  count: number,
  seed: number,
): TrainingItem[] {
  return Array.from({ length: count }, (_, i) => {
    const epoch = Math.floor((start + i) / train.length);
    return train[stream(seed, "order", name, epoch).permutation(train.length)[(start + i) % train.length]!]!;
  });
}

/** w = Σ nₖ·wₖ / Σ nₖ, summed in float64. */
function weightedMean(trained: readonly { adapter: Params; records: number }[]): Params {
  const total = trained.reduce((sum, { records }) => sum + records, 0);
  return new Map(
    [...trained[0]!.adapter].map(([name, { shape, data }]) => {
      const sum = new Float64Array(data.length);
      for (const { adapter, records } of trained)
        adapter.get(name)!.data.forEach((value, i) => (sum[i]! += records * value));
      return [name, { shape, data: Float32Array.from(sum, (value) => value / total) }];
    }),
  );
}

if (process.argv[1]?.endsWith("fedavg-by-hand.js")) {
  const config = readConfigFile("examples/quickstart.yaml");
  console.log(`adapter ${await fedavgByHand(config, nodePlatform({ baseDir: "examples" }))}`);
}
