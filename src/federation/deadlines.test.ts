import { describe, expect, it } from "vitest";
import {
  FIGURES,
  Life,
  membersOf,
  participantOf,
  QuadraticTrainer,
  recorded,
  roster,
  rulesOf,
  targets,
} from "../../test/support/federation.ts";
import { algorithmOf } from "../algorithms/registry.ts";
import { decodeGroups, encodeGroups, encodeJson } from "../store/codec.ts";
import { memoryStore } from "../store/memory-store.ts";
import type { Store } from "../store/store.ts";
import { addScaled, mapParams, type Params, scale, subtract } from "../tensor/params.ts";
import { timeLeft } from "./answers.ts";
import { clientMemory } from "./client-memory.ts";
import type { CoordinatorOptions } from "./coordinator-options.ts";
import { Coordinator } from "./coordinator.ts";
import { readHead, readMessage } from "./protocol/cells.ts";
import { keys } from "./protocol/keys.ts";
import { roundClose, roundOpening, submission } from "./protocol/messages.ts";
import { readAdapter } from "./round.ts";
import { simulate } from "./simulate.ts";

const fedavg = algorithmOf("fedavg");
const close = async (store: Store, round: number) => (await readMessage(store, keys.close(round), roundClose))!;
const opening = async (store: Store, round: number) => (await readMessage(store, keys.opening(round), roundOpening))!;

/** A coordinator that has opened round 1. */
async function opened(clients: readonly string[], changes: Partial<CoordinatorOptions>) {
  const store = memoryStore();
  const { events, sink } = recorded();
  const options = { ...rulesOf(fedavg), store, members: membersOf(clients), events: sink, ...changes };
  const coordinator = new Coordinator(options);
  await coordinator.advance();
  const first = await coordinator.advance();
  return { store, coordinator, events, first, options };
}

const act = (store: Store, client: string, pull = 1) => participantOf(store, client, fedavg, { pull }).act();

describe("a deadline", () => {
  it("stands in the opening, and another coordinator goes by that", async () => {
    const { store, options } = await opened(["ann", "bob"], { deadlineSeconds: 0, minClients: 1 });
    expect((await opening(store, 1)).deadlineSeconds).toBe(0);
    await act(store, "ann");
    expect(await new Coordinator({ ...options, deadlineSeconds: 1e6 }).advance()).toEqual({ state: "moved" });
    expect((await close(store, 1)).accepted.map(({ client }) => client)).toEqual(["ann"]);
    expect((await opening(store, 1)).clients).toEqual(["ann", "bob"]);
  });

  it("is extended so often where too few answered; then the run stops, and what is done stays", async () => {
    const rules = { deadlineSeconds: 0, extendDeadline: 2, minClients: 2 };
    const { store, options } = await opened(["ann", "bob", "cy"], { ...rules, extendDeadline: undefined });
    await act(store, "ann");
    const strict = new Coordinator({ ...options, ...rules });
    await expect(strict.advance()).rejects.toThrow("Round 1 has 1 usable updates and needs 2");
    expect(await new Coordinator(options).advance()).toMatchObject({ state: "waiting", clients: ["bob", "cy"] });
    await act(store, "bob");
    expect(await strict.advance()).toEqual({ state: "moved" });
  });

  it("leaves this much time", () => {
    const patience = { fewest: 2, deadlineSeconds: 10, extensions: 3 };
    expect(timeLeft(4, 2, patience)).toBe(6000);
    expect(timeLeft(11, 2, patience)).toBe(0);
    expect(timeLeft(11, 1, patience)).toBe(29_000);
    expect(timeLeft(41, 1, patience)).toBe(0);
    expect(timeLeft(11, 1, { ...patience, extensions: undefined })).toBeUndefined();
    expect(timeLeft(11, 2, { fewest: 2 })).toBeUndefined();
    expect(timeLeft(11, 0, { fewest: 0, deadlineSeconds: 10 })).toBeUndefined();
  });
});

describe("over-selection", () => {
  it("draws more, and closes with the first that are usable", async () => {
    const clients = ["ann", "bob", "cy", "dee", "eve"];
    const { store, coordinator, first } = await opened(clients, { clientsPerRound: 2, overSelect: 1.6 });
    const { clients: drawn, closesWith } = await opening(store, 1);
    expect(drawn).toHaveLength(4);
    expect(closesWith).toBe(2);
    expect(first).toMatchObject({ state: "waiting", clients: drawn });
    const [a, b, c, d] = drawn as [string, string, string, string];
    await store.create(keys.update(1, d), encodeJson({ client: d, refused: "no" }));
    expect(await coordinator.advance()).toMatchObject({ state: "waiting" });
    await act(store, c);
    expect(await coordinator.advance()).toMatchObject({ state: "waiting", clients: [a, b] });
    await act(store, b);
    // Two of three are usable.
    expect(await coordinator.advance()).toEqual({ state: "moved" });
    const { accepted, refused } = await close(store, 1);
    expect(accepted.map(({ client }) => client)).toEqual([b, c]);
    expect(refused).toEqual([{ client: d, refused: "no" }]);
    await act(store, a);
    expect((await close(store, 1)).accepted).toHaveLength(2);
  });

  it("in a simulation the seed says who is first, and only those train", async () => {
    const play = async (seed: number) => {
      const store = memoryStore();
      const trainer = new QuadraticTrainer(targets);
      const memory = clientMemory(memoryStore(), store);
      const rules = { ...rulesOf(fedavg), clientsPerRound: 2, overSelect: 2, rounds: 4 };
      const { head } = await simulate({ ...rules, seed, store, clients: roster, trainer, memory });
      return { head, trained: trainer.trained };
    };
    const [one, again, other] = [await play(7), await play(7), await play(8)];
    expect(again).toEqual(one);
    expect(one.trained).toHaveLength(8);
    expect(other.trained).not.toEqual(one.trained);
    expect(new Set(one.trained.map((each) => each.split("/")[1])).size).toBeGreaterThan(1);
  });
});

const value = (params: Params): number[] => [...params.values()].flatMap(({ data }) => [...data]);

describe("an update that missed its round", () => {
  const late = { by: "sqrt", most: 2 } as const;

  /** Round 1 closes without Bob, who answers all the same. Returns after the close of round 2, which Ann alone answered. */
  async function missed(changes: Partial<CoordinatorOptions>, both = false) {
    const rules = { deadlineSeconds: 0, rounds: 6, ...changes };
    const { store, coordinator, events } = await opened(["ann", "bob"], rules);
    const slow = participantOf(store, "bob", fedavg, { pull: -2 });
    // Bob begins round 1 and answers when it is closed.
    const hidden = {
      ...store,
      create: async (key: string, bytes: Uint8Array) => {
        await act(store, "ann");
        expect(await coordinator.advance()).toEqual({ state: "moved" });
        return store.create(key, bytes);
      },
    };
    await participantOf(hidden, "bob", fedavg, { pull: -2 }).act();
    await coordinator.advance();
    await act(store, "ann");
    if (both) await slow.act();
    await coordinator.advance();
    return { store, coordinator, events };
  }

  it("is dropped where nothing is set", async () => {
    const { store } = await missed({});
    expect((await close(store, 2)).accepted.map(({ client }) => client)).toEqual(["ann"]);
    const { update } = submission(
      JSON.parse(new TextDecoder().decode(await store.read(keys.update(1, "bob")))),
      "",
    ) as { update: string };
    await expect(store.blob(update)).rejects.toThrow("not in the store");
  });

  it("is in the next close with its round, its base and its factor, and its change is added", async () => {
    const { store, coordinator, events } = await missed({ late });
    const { accepted } = await close(store, 2);
    const base = (await opening(store, 1)).adapter;
    expect(accepted.map(({ client, round, base: from, factor }) => [client, round, from, factor])).toEqual([
      ["ann", undefined, undefined, undefined],
      ["bob", 1, base, 1 / Math.SQRT2],
    ]);
    // Ann has 10 records and Bob 20.
    const global = await readAdapter(store, (await opening(store, 2)).adapter);
    const update = async (i: number) => (await wire(store, accepted[i]!)).adapter;
    const change = scale(subtract(await update(1), await readAdapter(store, base)), 1 / Math.SQRT2);
    const mean = addScaled(scale(await update(0), 1 / 3), 2 / 3, addScaled(global, 1, change));
    const head = (await readHead(store))!.head;
    const got = value(await readAdapter(store, head.adapter));
    for (const [i, want] of value(mean).entries()) expect(got[i]).toBeCloseTo(want, 6);
    expect(events.filter(({ type }) => type === "client-update")).toMatchObject([
      { round: 1, client: "ann" },
      { round: 2, client: "ann" },
      { round: 1, client: "bob" },
    ]);
    // Used, and deleted one round after.
    await coordinator.advance();
    await act(store, "ann");
    await coordinator.advance();
    expect((await close(store, 3)).accepted.map(({ client }) => client)).toEqual(["ann"]);
    await expect(store.blob(accepted[1]!.update)).rejects.toThrow("not in the store");
  });

  it("does not count beside a newer update of its client", async () => {
    const { store, coordinator } = await missed({ late }, true);
    expect((await close(store, 2)).accepted.map(({ client, round }) => [client, round])).toEqual([
      ["ann", undefined],
      ["bob", undefined],
    ]);
    for (let round = 3; round <= 5; round++) {
      await coordinator.advance();
      await act(store, "ann");
      await coordinator.advance();
      expect((await close(store, round)).accepted.map(({ client }) => client)).toEqual(["ann"]);
    }
    const bobs = submission(JSON.parse(new TextDecoder().decode(await store.read(keys.update(1, "bob")))), "") as {
      update: string;
    };
    await expect(store.blob(bobs.update)).rejects.toThrow("not in the store");
  });

  it("from a foreign adapter is never averaged, and what it names is not deleted", async () => {
    const { store, coordinator } = await opened(["ann", "bob"], { deadlineSeconds: 0, rounds: 6, late });
    await act(store, "ann");
    await coordinator.advance();
    const { head } = (await readHead(store))!;
    const update = await store.putBlob(encodeGroups({ adapter: await readAdapter(store, head.adapter) }, {}));
    await store.create(keys.update(1, "bob"), encodeJson({ client: "bob", base: head.adapter, update, ...FIGURES }));
    for (let round = 2; round <= 5; round++) {
      await coordinator.advance();
      await act(store, "ann");
      await coordinator.advance();
      expect((await close(store, round)).accepted.map(({ client }) => client)).toEqual(["ann"]);
    }
    expect(await store.blob(update)).toBeDefined();
  });
});

async function wire(
  store: Store,
  { update, client }: { update: string; client: string },
): Promise<{ adapter: Params }> {
  return decodeGroups(await store.blob(update, client), "test") as unknown as { adapter: Params };
}

it("SCAFFOLD's memory of a client that misses rounds is that of its last update that counted", async () => {
  const store = memoryStore();
  const own = memoryStore();
  const scaffold = algorithmOf("scaffold");
  const rules = { ...rulesOf(scaffold), rounds: 4, deadlineSeconds: 0, minClients: 1 };
  const coordinator = new Coordinator({ ...rules, store, members: membersOf(["ann", "bob"]) });
  const memory = clientMemory(own, store);
  const control = async (round: number) => value((await memory.load("bob", round))["control"]!);
  await coordinator.advance();
  const kept: number[][] = [];
  for (let round = 1; round <= 4; round++) {
    await coordinator.advance();
    if (round !== 2) await participantOf(store, "bob", scaffold, { own, pull: -2 }).act();
    await participantOf(store, "ann", scaffold, { own, pull: 1 }).act();
    await coordinator.advance();
    // What Bob keeps of an answer to round 2 that came too late does not count.
    if (round === 2) await memory.save("bob", 2, "f".repeat(64), { control: new Map() });
    kept.push(await control(round + 1));
  }
  expect(kept[1]).toEqual(kept[0]);
  expect(kept[2]).not.toEqual(kept[1]);
  expect(kept[3]).not.toEqual(kept[2]);
});

it("late updates are in the same closes wherever the coordinator dies", async () => {
  /** Bob answers each round once the next one is open. */
  const answerLate = async (store: Store, round: number): Promise<void> => {
    const found = round < 1 ? undefined : await opening(store, round);
    if (found === undefined) return;
    const adapter = mapParams(await readAdapter(store, found.adapter), (x) => x + round);
    const update = await store.putBlob(encodeGroups({ adapter }, { late: String(round) }));
    const message = { client: "bob", base: found.adapter, update, ...FIGURES };
    await store.create(keys.update(round, "bob"), encodeJson(message));
  };
  const live = async (exchange: Store, life: Life) => {
    const late = { by: "inverse", most: 1 } as const;
    const rules = { ...rulesOf(algorithmOf("fedyogi")), rounds: 4, deadlineSeconds: 0, late };
    const coordinator = new Coordinator({ ...rules, store: life.wrap(exchange), members: membersOf(["ann", "bob"]) });
    for (;;) {
      const step = await coordinator.advance();
      if (step.state === "over") break;
      if (step.state === "moved") continue;
      await answerLate(exchange, (await readHead(exchange))!.head.round);
      await participantOf(exchange, "ann", rules.algorithm).act();
    }
    const all = await Promise.all([1, 2, 3, 4].map((round) => close(exchange, round)));
    const blobs = all.flatMap(({ accepted }) => accepted).map(({ update }) => exchange.blob(update));
    const kept = (await Promise.allSettled(blobs)).map(({ status }) => status);
    return { head: (await readHead(exchange))!.head, all: all.map(({ accepted }) => accepted), kept };
  };
  const counting = new Life();
  const expected = await live(memoryStore(), counting);
  expect(expected.all.map((accepted) => accepted.map(({ client, round, factor }) => [client, round, factor]))).toEqual([
    [["ann", undefined, undefined]],
    ...[1, 2, 3].map((round) => [
      ["ann", undefined, undefined],
      ["bob", round, 0.5],
    ]),
  ]);
  expect(expected.kept.filter((status) => status === "fulfilled")).toHaveLength(2);
  for (let at = 1; at <= counting.operations; at++) {
    for (const afterwards of counting.reads.has(at) ? [false] : [false, true]) {
      const exchange = memoryStore();
      await expect(live(exchange, new Life(at, afterwards))).rejects.toThrow("killed");
      expect(await live(exchange, new Life()), `operation ${at}`).toEqual(expected);
    }
  }
});
