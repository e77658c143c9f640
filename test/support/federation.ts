import type { Algorithm } from "../../src/algorithms/algorithm.ts";
import type { LocalTask, LocalTrainer, TrainedClient } from "../../src/federation/local-trainer.ts";
import { Participant } from "../../src/federation/participant.ts";
import type { ParticipantOptions } from "../../src/federation/participant-options.ts";
import { eachAdapter } from "../../src/federation/adapter-set.ts";
import { clientMemory } from "../../src/federation/client-memory.ts";
import type { CoordinatorOptions } from "../../src/federation/coordinator-options.ts";
import type { Evaluate, Evaluated } from "../../src/federation/evaluation.ts";
import type { EventSink, RunEvent } from "../../src/federation/events.ts";
import { type Member, PROTOCOL } from "../../src/federation/protocol/messages.ts";
import type { SimulationOptions } from "../../src/federation/simulate.ts";
import { algorithmOf } from "../../src/algorithms/registry.ts";
import { memoryStore } from "../../src/store/memory-store.ts";
import type { Store } from "../../src/store/store.ts";
import { addScaled, mapParams, type Params, zerosLike } from "../../src/tensor/params.ts";

export const initialAdapter: Params = new Map([
  ["lora_A.weight", { shape: [2, 3], data: Float32Array.of(0.1, -0.2, 0.3, 0.4, -0.5, 0.6) }],
  ["lora_B.weight", { shape: [3], data: new Float32Array(3) }],
]);

/** Each client pulls the adapter to a value of its own: loss ½‖w − target‖², plain gradient descent. */
export class QuadraticTrainer implements LocalTrainer {
  readonly trained: string[] = [];
  readonly targets: Readonly<Record<string, number>>;
  readonly steps: number;

  constructor(targets: Readonly<Record<string, number>>, steps = 3) {
    this.targets = targets;
    this.steps = steps;
  }

  async train({ adapter, round, client, learningRate, localRule, onStart, onStep }: LocalTask): Promise<TrainedClient> {
    this.trained.push(`${round}/${client}`);
    const target = this.targets[client]!;
    let after = adapter;
    let gradientMean = zerosLike(adapter);
    let loss = 0;
    onStart(this.steps);
    for (let step = 1; step <= this.steps; step++) {
      const gradient = mapParams(after, (w) => w - target);
      after = addScaled(after, -learningRate, localRule.gradient?.(gradient, after) ?? gradient);
      after = localRule.step?.(after, learningRate) ?? after;
      gradientMean = addScaled(gradientMean, 1 / this.steps, gradient);
      loss = [...gradient.values()].flatMap(({ data }) => [...data]).reduce((sum, g) => sum + 0.5 * g * g, 0);
      const records = [`${client}-${round}-${step}`];
      onStep({
        step,
        records,
        learningRate,
        loss,
        count: 5,
        metrics: {},
        gradientNorm: Math.sqrt(2 * loss),
        supervisedTokens: 5,
        seconds: Math.random(),
      });
      await Promise.resolve();
    }
    return {
      before: adapter,
      after,
      steps: this.steps,
      learningRateSum: this.steps * learningRate,
      gradientMean,
      loss,
      count: 5 * this.steps,
      metrics: {},
      examples: this.steps,
      supervisedTokens: 5 * this.steps,
      seconds: Math.random(),
    };
  }
}

/** Figures of an update that is written by hand. */
export const FIGURES = {
  loss: 1,
  count: 1,
  metrics: {},
  steps: 1,
  examples: 1,
  supervisedTokens: 1,
  bytesDown: 0,
  bytesUp: 0,
  seconds: 1,
};

export const quiet: EventSink = { emit: () => undefined, flush: async () => undefined };
export const targets = { ann: 1, bob: -2, cy: 0.5, dee: 3 };
const heldOut: Readonly<Record<string, number>> = { ann: 2, cy: 1 };
export const roster = Object.keys(targets).map((name, i) => ({
  name,
  records: 10 * (i + 1),
  heldOut: heldOut[name] ?? 0,
}));

/** Scores of one set: the common adapter's, or those of every adapter that is there. */
const scoring =
  (set: string, more: number): Evaluate =>
  async ({ round, adapters }) => {
    const scores: Evaluated["scores"][number][] = [];
    for await (const { client } of eachAdapter(adapters)) {
      const score = { set, records: 3, supervisedTokens: 9, count: 9, loss: round + more, seconds: Math.random() };
      scores.push(client === undefined ? score : { ...score, client });
    }
    return { scores };
  };
export const scored = { evaluate: scoring("common", 0.5), evaluateClient: (client: string) => scoring(client, 0.25) };

/** The coordinator's rules of a small run. */
export function rulesOf(algorithm: Algorithm): Omit<CoordinatorOptions, "store" | "members"> {
  return {
    algorithm,
    initialAdapter,
    identity: "settings",
    seed: 7,
    rounds: 3,
    clientsPerRound: Number.POSITIVE_INFINITY,
    minClients: 1,
    learningRate: () => 0.1,
    evaluateEvery: 0,
    events: quiet,
  };
}

/** A participant over a store; `own` keeps its memory. */
export function participantOf(
  store: Store,
  client: string,
  algorithm: Algorithm,
  { own = memoryStore(), pull = 1, ...others }: { own?: Store; pull?: number } & Partial<ParticipantOptions> = {},
): Participant {
  const trainer = new QuadraticTrainer({ [client]: pull });
  const memory = clientMemory(own, store);
  return new Participant({ store, client, algorithm, seed: 7, trainer, memory, events: quiet, ...others });
}

export const membersOf = (clients: readonly string[], heldOut = 0): Member[] =>
  clients.map((client, i) => ({ protocol: PROTOCOL, client, records: 10 * (i + 1), heldOut, data: "" }));

/** Collects events. */
export function recorded(): { readonly events: RunEvent[]; readonly sink: EventSink } {
  const events: RunEvent[] = [];
  return { events, sink: { ...quiet, emit: (event) => events.push(event) } };
}

/** A process that dies at its n-th operation on disk, before it or after it was done. */
export class Life {
  operations = 0;
  /** The operations that only read, by number. */
  readonly reads = new Set<number>();
  readonly #last: number;
  readonly #afterwards: boolean;

  constructor(last = Number.POSITIVE_INFINITY, afterwards = false) {
    this.#last = last;
    this.#afterwards = afterwards;
  }

  async operation<T>(action: () => Promise<T>, reads = false): Promise<T> {
    this.operations++;
    if (reads) this.reads.add(this.operations);
    if (this.operations > this.#last || (this.operations === this.#last && !this.#afterwards))
      throw new Error("killed");
    const result = await action();
    if (this.operations >= this.#last) throw new Error("killed");
    return result;
  }

  wrap(exchange: Store): Store {
    return new Proxy(exchange, {
      get: (inner, name: keyof Store) =>
        // To watch is not to do.
        name === "watch" || inner[name] === undefined
          ? inner[name]
          : (...args: unknown[]) =>
              this.operation(
                () => (inner[name] as (...args: unknown[]) => Promise<unknown>)(...args),
                ["blob", "read", "list", "head"].includes(name),
              ),
    });
  }
}

/** A simulation of two rounds of the four clients of the roster, without evaluation. */
export function simulationOf(store: Store, own: Store, changes: Partial<SimulationOptions> = {}): SimulationOptions {
  return {
    store,
    algorithm: algorithmOf("fedavg"),
    trainer: new QuadraticTrainer(targets),
    memory: clientMemory(own, store),
    initialAdapter,
    identity: "settings",
    seed: 7,
    rounds: 2,
    clients: roster,
    clientsPerRound: 4,
    minClients: 1,
    learningRate: () => 0.1,
    evaluateEvery: 0,
    events: quiet,
    ...changes,
  };
}
