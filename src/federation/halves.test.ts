import { describe, expect, it } from "vitest";
import {
  initialAdapter,
  Life,
  QuadraticTrainer,
  quiet,
  roster,
  scored,
  targets,
} from "../../test/support/federation.ts";
import type { Algorithm } from "../algorithms/algorithm.ts";
import { algorithmOf } from "../algorithms/registry.ts";
import { memoryStore } from "../store/memory-store.ts";
import type { Store } from "../store/store.ts";
import { aggregatorOf } from "../updates/aggregator-registry.ts";
import type { Stage } from "../updates/stage.ts";
import { stagesOf } from "../updates/stage-registry.ts";
import { clientMemory } from "./client-memory.ts";
import { coordinate } from "./coordinate.ts";
import type { CoordinatorOptions } from "./coordinator-options.ts";
import { Coordinator } from "./coordinator.ts";
import { readEvaluation } from "./evaluation.ts";
import type { RunEvent } from "./events.ts";
import { Participant } from "./participant.ts";
import { participate } from "./participate.ts";
import { keys } from "./protocol/keys.ts";
import { type Member, PROTOCOL } from "./protocol/messages.ts";
import { awaitManifest, gatherRoster, publishManifest } from "./roster.ts";
import { simulate } from "./simulate.ts";

const settings = { proxMu: 0.1, server: { beta1: 0.9, beta2: 0.99 } };

const ALL: readonly Algorithm[] = [
  algorithmOf("fedavg", settings),
  algorithmOf("fedadam", settings),
  algorithmOf("scaffold", settings),
  algorithmOf("local", settings),
];

function rules(algorithm: Algorithm): Omit<CoordinatorOptions, "store" | "members"> {
  return {
    algorithm,
    initialAdapter,
    identity: "settings",
    seed: 7,
    rounds: 3,
    clientsPerRound: 2,
    minClients: 1,
    learningRate: (round) => 0.1 / round,
    evaluateEvery: 1,
    evaluate: scored.evaluate,
    events: quiet,
  };
}

const names = roster.map(({ name }) => name);

/** The coordinator's half, from the manifest to the end. Returns the head as JSON. */
async function coordinatorHalf(store: Store, algorithm: Algorithm, changes: Partial<CoordinatorOptions> = {}) {
  const manifest = { protocol: PROTOCOL, algorithm: algorithm.name, clients: names, settings: {} };
  const published = await publishManifest(store, manifest);
  const members = await gatherRoster(store, published.clients);
  const outcome = await coordinate({ ...rules(algorithm), store, members, ...changes });
  return { head: JSON.stringify(outcome.head), evaluations: outcome.evaluations };
}

/** The half of some clients, from the manifest to the end. */
async function participantHalf(
  store: Store,
  own: Store,
  algorithm: Algorithm,
  clients: readonly string[],
  stages: readonly Stage[] = [],
) {
  await awaitManifest(store);
  const memory = clientMemory(own, store);
  const trainer = new QuadraticTrainer(targets);
  const participants = clients.map(
    (client) =>
      new Participant({
        store,
        stages,
        seed: 7,
        client,
        algorithm,
        trainer,
        memory,
        events: quiet,
        evaluate: scored.evaluateClient(client),
      }),
  );
  for (const participant of participants) {
    const { records, heldOut } = roster.find(({ name }) => name === participant.client)!;
    await participant.join({ protocol: PROTOCOL, records, heldOut, data: "" });
  }
  return participate(store, participants);
}

async function simulated(algorithm: Algorithm, changes: Partial<CoordinatorOptions> = {}) {
  const store = memoryStore();
  const half = { trainer: new QuadraticTrainer(targets), memory: clientMemory(memoryStore(), store) };
  const outcome = await simulate({ ...rules(algorithm), ...half, store, clients: roster, ...scored, ...changes });
  return { head: JSON.stringify(outcome.head), evaluations: outcome.evaluations };
}

/** Lives until it ends, beginning again wherever it is killed; `killAt` is the operation of its first life. */
async function lives<T>(killAt: number, afterwards: boolean, half: (life: Life) => Promise<T>): Promise<T> {
  for (let life = new Life(killAt, afterwards); ; life = new Life()) {
    try {
      return await half(life);
    } catch (error) {
      if (!(error instanceof Error) || error.message !== "killed") throw error;
    }
  }
}

describe("two halves that meet only in the store", () => {
  it.each(ALL)("end with the head and the scores of the simulation: $name", async (algorithm) => {
    const store = memoryStore();
    const halves = [
      ["ann", "bob"],
      ["cy", "dee"],
    ].map((clients) => participantHalf(store, memoryStore(), algorithm, clients));
    expect(await coordinatorHalf(store, algorithm)).toEqual(await simulated(algorithm));
    for (const half of halves) expect((await half).round).toBe(3);
  });

  it("pass updates through the same stages and the same aggregator as the simulation", async () => {
    const algorithm = ALL[2]!;
    const stages = stagesOf([{ name: "clip", maxNorm: 0.05 } as never]);
    const changes = { stages, aggregator: aggregatorOf("median"), clientsPerRound: 3 };
    const store = memoryStore();
    const half = participantHalf(store, memoryStore(), algorithm, names, stages);
    const ended = await coordinatorHalf(store, algorithm, changes);
    expect(ended).toEqual(await simulated(algorithm, changes));
    expect(ended.head).not.toBe((await simulated(algorithm, { clientsPerRound: 3 })).head);
    expect(ended.head).not.toBe((await simulated(algorithm, { stages, clientsPerRound: 3 })).head);
    await half;
  });

  it.each(ALL)("each killed at any operation, the end is the same: $name", async (algorithm) => {
    const expected = await simulated(algorithm);
    const counted = { coordinator: new Life(), participant: new Life() };
    const play = async (kill: Record<keyof typeof counted, number>, afterwards: boolean, count = false) => {
      const [store, own] = [memoryStore(), memoryStore()];
      const participant = lives(kill.participant, afterwards, async (fresh) => {
        const life = count ? counted.participant : fresh;
        return participantHalf(life.wrap(store), life.wrap(own), algorithm, names);
      });
      const ended = await lives(kill.coordinator, afterwards, async (fresh) =>
        coordinatorHalf((count ? counted.coordinator : fresh).wrap(store), algorithm),
      );
      await participant;
      return ended;
    };
    const never = Number.POSITIVE_INFINITY;
    expect(await play({ coordinator: never, participant: never }, false, true)).toEqual(expected);
    const most = Math.max(counted.coordinator.operations, counted.participant.operations);
    // Both halves die in one play, at operations that differ, so that each operation of each half is one of death.
    for (let at = 1; at <= most; at++) {
      const other = most + 1 - at;
      const ended = await play({ coordinator: at, participant: other }, at % 2 === 0);
      expect(ended, `coordinator killed at ${at}, participant at ${other}`).toEqual(expected);
    }
  });

  it("a second coordinator ends with the same head, and nothing is counted twice", async () => {
    const store = memoryStore();
    const [algorithm] = [ALL[1]!];
    const half = participantHalf(store, memoryStore(), algorithm, names);
    const ended = await Promise.allSettled([coordinatorHalf(store, algorithm), coordinatorHalf(store, algorithm)]);
    const { head } = await simulated(algorithm);
    expect(ended.flatMap((each) => (each.status === "fulfilled" ? [each.value.head] : []))).toContain(head);
    for (const each of ended) {
      if (each.status === "rejected") expect(each.reason).toMatchObject({ kind: "storage" });
    }
    await half;
  });
});

const members: Member[] = roster.map(({ name, records }) => ({
  protocol: PROTOCOL,
  client: name,
  records,
  heldOut: 0,
  data: "",
}));

describe("a deadline", () => {
  it("evaluates with the scores that came, and waits for none that did not", async () => {
    const store = memoryStore();
    const algorithm = ALL[0]!;
    const coordinator = new Coordinator({
      ...rules(algorithm),
      store,
      members: members.map((member) => ({ ...member, heldOut: 1 })),
      rounds: 1,
      minClients: 2,
      deadlineSeconds: 0,
    });
    await coordinator.advance();
    expect(await coordinator.advance()).toMatchObject({ state: "waiting", clients: names });
    for (const client of ["cy", "ann"]) {
      const memory = clientMemory(memoryStore(), store);
      const half = { store, client, algorithm, seed: 7, memory, trainer: new QuadraticTrainer(targets), events: quiet };
      await new Participant({ ...half, evaluate: scored.evaluateClient(client) }).act();
    }
    expect(await coordinator.advance()).toMatchObject({ state: "waiting" });
    expect(await store.read(keys.opening(1))).toBeDefined();
    const evaluation = (await readEvaluation(store, 0))!;
    expect(evaluation.scores.map(({ set, loss }) => [set, loss])).toEqual([
      ["ann", 0.25],
      ["cy", 0.25],
      ["common", 0.5],
    ]);
  });

  it("closes a round without those who are late, but not with too few", async () => {
    const store = memoryStore();
    const algorithm = ALL[0]!;
    const events: RunEvent[] = [];
    const coordinator = new Coordinator({
      ...rules(algorithm),
      store,
      members,
      rounds: 1,
      clientsPerRound: 4,
      minClients: 2,
      deadlineSeconds: 0,
      events: { ...quiet, emit: (event) => events.push(event) },
    });
    const act = async (client: string): Promise<void> => {
      const memory = clientMemory(memoryStore(), store);
      await new Participant({
        store,
        seed: 7,
        client,
        algorithm,
        trainer: new QuadraticTrainer(targets),
        memory,
        events: quiet,
      }).act();
    };
    expect(await coordinator.advance()).toEqual({ state: "moved" });
    expect(await coordinator.advance()).toMatchObject({ state: "waiting", clients: names });
    await act("dee");
    expect(await coordinator.advance()).toMatchObject({
      state: "waiting",
      clients: ["ann", "bob", "cy"],
    });
    await act("ann");
    expect(await coordinator.advance()).toEqual({ state: "moved" });
    expect(events.find(({ type }) => type === "round-end")).toMatchObject({ accepted: ["ann", "dee"], refused: [] });
  });
});
