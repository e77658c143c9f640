import { expect, test } from "vitest";
import { inertSettings } from "./inert-settings.ts";
import { parseExperiment } from "./parse.ts";

/**
 * A run's identity is its configuration with all defaults. A key or value that is added here, changed or taken away makes
 * every run folder there is one of other settings; so a new setting is optional, without a default in the schema.
 */
const DEFAULTS = {
  model: { base: "m" },
  adapter: { rank: 8, alpha: 16, dropout: 0, targets: ["q_proj", "v_proj"], rsLora: false },
  data: {
    train: "f",
    partition: { by: "iid", alpha: 0.5, minRecords: 1 },
    heldOutRecords: 0,
    fields: {},
    template: "chat",
    inputs: "section",
    maxLength: 512,
  },
  objective: { name: "sft", labelSmoothing: 0, gamma: 0.5, desirableWeight: 1, undesirableWeight: 1 },
  training: {
    batchSize: 16,
    gradientAccumulation: 1,
    localEpochs: 1,
    schedule: "cosine",
    optimizer: "adamw",
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    momentum: 0,
    weightDecay: 0,
    maxGradNorm: 1,
    microBatchTokens: 1024,
    learningRate: 0.0003,
    minLearningRate: 0.000001,
  },
  federation: {
    algorithm: "fedavg",
    rounds: 3,
    clients: 2,
    minClients: 1,
    proxMu: 0.01,
    server: { beta1: 0.9, beta2: 0.99 },
  },
  evaluation: {
    every: 0,
    crossClients: false,
    benchmarks: [],
    prompts: [],
    maxNewTokens: 96,
    best: {},
    earlyStopping: { minDelta: 0 },
  },
  output: { saveEvery: 0, tensorboard: false },
  runtime: {},
  fidelity: "paper",
  seed: 42,
};

const GIVEN = { model: { base: "m" }, data: { train: "f" }, federation: { clients: 2 } };

test("a configuration that sets nothing has these settings and no other", () => {
  const config = parseExperiment(GIVEN, "test");
  expect(config).toEqual(DEFAULTS);
  // As JSON too, where a key without a value would not be seen above.
  expect(JSON.stringify(config)).toBe(JSON.stringify(DEFAULTS));
  expect(inertSettings(config)).toEqual([]);
});

test("every setting that an algorithm or an objective reads stands where it did, whatever the choice", () => {
  const objective = {
    name: "kto",
    beta: 0.2,
    labelSmoothing: 0.1,
    gamma: 0.3,
    desirableWeight: 1.5,
    undesirableWeight: 0.5,
  };
  const federation = {
    algorithm: "scaffold",
    rounds: 3,
    clients: 2,
    clientsPerRound: 2,
    minClients: 2,
    weighting: "uniform",
    proxMu: 0.2,
    server: { learningRate: 0.1, beta1: 0.5, beta2: 0.6, tau: 0.01 },
  };
  const config = parseExperiment({ ...GIVEN, objective, federation }, "test");
  // As JSON, so in the same order too.
  expect(JSON.stringify(config.objective)).toBe(JSON.stringify(objective));
  expect(JSON.stringify(config.federation)).toBe(JSON.stringify(federation));
});
