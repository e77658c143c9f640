// A page's program: a participant's half of a round, against a store in memory. Web types only.
import {
  algorithmOf,
  clientMemory,
  coordinate,
  gatherRoster,
  type LocalTrainer,
  memoryStore,
  type Params,
  Participant,
  participate,
  PROTOCOL,
  publishManifest,
} from "openfedllm/web";

const CLIENTS = ["phone", "tablet"];
const initialAdapter: Params = new Map([["w", { shape: [2], data: Float32Array.of(1, -1) }]]);

/** Moves the adapter by the learning rate, in one step. */
const trainer: LocalTrainer = {
  async train({ adapter, learningRate, onStart, onStep }) {
    onStart(1);
    const after = new Map(
      [...adapter].map(([name, { shape, data }]) => [name, { shape, data: data.map((x) => x + learningRate) }]),
    );
    const figures = { loss: 1, count: 1, metrics: {}, supervisedTokens: 1, seconds: 0 };
    onStep({ step: 1, records: ["r"], learningRate, gradientNorm: 1, ...figures });
    return { before: adapter, after, steps: 1, learningRateSum: learningRate, examples: 1, ...figures };
  },
};

export async function playRound(): Promise<readonly number[]> {
  const store = memoryStore();
  const algorithm = algorithmOf("fedavg");
  const events = { emit: () => undefined, flush: async () => undefined };
  const { clients } = await publishManifest(store, {
    protocol: PROTOCOL,
    algorithm: "fedavg",
    clients: CLIENTS,
    settings: {},
  });
  const participants = clients.map(
    (client) =>
      new Participant({
        store,
        client,
        algorithm,
        seed: 1,
        trainer,
        memory: clientMemory(memoryStore(), store),
        events,
      }),
  );
  for (const participant of participants)
    await participant.join({ protocol: PROTOCOL, records: 3, heldOut: 0, data: "" });
  const coordinator = coordinate({
    store,
    algorithm,
    initialAdapter,
    identity: "a page",
    seed: 1,
    rounds: 2,
    members: await gatherRoster(store, clients),
    clientsPerRound: 2,
    minClients: 1,
    learningRate: () => 0.5,
    evaluateEvery: 0,
    events,
  });
  const [{ adapter }] = await Promise.all([coordinator, participate(store, participants)]);
  return [...adapter.get("w")!.data];
}
