import { describe, expect, it } from "vitest";
import { Life, membersOf, participantOf, quiet, recorded, rulesOf } from "../../test/support/federation.ts";
import type { Algorithm } from "../algorithms/algorithm.ts";
import { algorithmOf } from "../algorithms/registry.ts";
import { decodeGroups, encodeJson } from "../store/codec.ts";
import { memoryStore } from "../store/memory-store.ts";
import type { Store } from "../store/store.ts";
import type { CoordinatorOptions } from "./coordinator-options.ts";
import { Coordinator } from "./coordinator.ts";
import { readHead, readMessage } from "./protocol/cells.ts";
import { keys } from "./protocol/keys.ts";
import { membersChange, PROTOCOL, roundOpening } from "./protocol/messages.ts";
import { type Declined, gatherRoster } from "./roster.ts";

const fedavg = algorithmOf("fedavg");
const joining = { protocol: PROTOCOL, records: 5, heldOut: 0, data: "" };

describe("a roster", () => {
  it("is settled without those that decline, each told once with its reason", async () => {
    const store = memoryStore();
    const declined: Declined[] = [];
    const waited: string[] = [];
    const gathering = gatherRoster(store, ["ann", "bob", "cy"], {
      onDeclined: (each) => declined.push(each),
      onWaiting: (clients) => waited.push(clients.join()),
    });
    await participantOf(store, "bob", fedavg).decline("no\u001B[31m\ntime");
    await participantOf(store, "cy", fedavg).join(joining);
    await new Promise((resolve) => setTimeout(resolve));
    await participantOf(store, "ann", fedavg).join(joining);
    expect((await gathering).map(({ client }) => client)).toEqual(["ann", "cy"]);
    expect(declined).toEqual([{ client: "bob", reason: "no [31m time" }]);
    expect(waited.at(-1)).toBe("ann");
  });

  it("has a client that declined and then joined", async () => {
    const store = memoryStore();
    await participantOf(store, "ann", fedavg).decline("later");
    await participantOf(store, "ann", fedavg).join(joining);
    expect(await gatherRoster(store, ["ann"])).toHaveLength(1);
  });

  it("is settled after the deadline with the fewest that a round needs, and not before", async () => {
    const store = memoryStore();
    let waits = 0;
    const gathering = gatherRoster(store, ["ann", "bob", "cy"], {
      deadlineSeconds: 0,
      minClients: 2,
      onWaiting: () => waits++,
    });
    await participantOf(store, "cy", fedavg).join(joining);
    await new Promise((resolve) => setTimeout(resolve));
    expect(waits).toBeGreaterThan(0);
    await participantOf(store, "ann", fedavg).join(joining);
    expect((await gathering).map(({ client }) => client)).toEqual(["ann", "cy"]);
  });

  it("is settled without those that left the federation or were put out", async () => {
    const store = memoryStore();
    for (const client of ["ann", "bob", "cy"]) await participantOf(store, client, fedavg).join(joining);
    const declined: Declined[] = [];
    const members = await gatherRoster(store, ["ann", "bob", "cy"], {
      departed: () => new Set(["bob"]),
      revoked: () => new Set(["cy"]),
      onDeclined: (each) => declined.push(each),
    });
    expect(members.map(({ client }) => client)).toEqual(["ann"]);
    const reason = "it is no member of the federation any more";
    expect(declined).toEqual(["bob", "cy"].map((client) => ({ client, reason })));
  });

  it("is refused where too many decline", async () => {
    const store = memoryStore();
    await participantOf(store, "ann", fedavg).join(joining);
    await store.create(keys.decline("bob"), encodeJson({ client: "bob" }));
    await expect(gatherRoster(store, ["ann", "bob"], { minClients: 2 })).rejects.toMatchObject({
      kind: "data",
      message:
        "The run has 1 members and needs 2; the others declined (bob: its message is malformed: reason is nothing, expected a string).",
    });
  });
});

const PULLS: Readonly<Record<string, number>> = { ann: 1, bob: -2, dee: 3, eve: 0.5 };

interface Place {
  readonly exchange: Store;
  readonly own: Store;
}

/**
 * Plays both halves. Ann and Bob begin; Eve joins once round 1 is done, Dee (who declined) and a client without records once
 * round 2 is, and Bob leaves then.
 */
async function live(
  { exchange, own }: Place,
  life: Life,
  algorithm: Algorithm,
  changes: Partial<CoordinatorOptions> = {},
) {
  const store = life.wrap(exchange);
  const coordinator = new Coordinator({
    ...rulesOf(algorithm),
    rounds: 4,
    members: membersOf(["ann", "bob"]),
    newcomers: () => ["ann", "bob", "dee", "eve", "nil"],
    store,
    ...changes,
  });
  const participant = (client: string) => participantOf(store, client, algorithm, { own, pull: PULLS[client] ?? 0 });
  for (;;) {
    const round = (await readHead(exchange))?.head.round ?? 0;
    const outside = (client: string) => participantOf(exchange, client, algorithm);
    await outside("dee").decline("not yet");
    if (round >= 1) await outside("eve").join(joining);
    if (round >= 2) {
      await outside("dee").join({ ...joining, records: 7 });
      await outside("nil").join({ ...joining, records: 0 });
      await outside("bob").leave();
    }
    const step = await coordinator.advance();
    if (step.state === "over") return step.outcome.head;
    if (step.state === "waiting") expect(await participant(step.clients[0]!).act()).toBe("worked");
  }
}

const place = (): Place => ({ exchange: memoryStore(), own: memoryStore() });
const openingOf = async (store: Store, round: number) => (await readMessage(store, keys.opening(round), roundOpening))!;

describe("members that come and go", () => {
  it("are in the rounds between, with the rounds counted that they were drawn for", async () => {
    const here = place();
    const { events, sink } = recorded();
    await live(here, new Life(), fedavg, { events: sink });
    const clients = await Promise.all(
      [1, 2, 3, 4].map(async (round) => (await openingOf(here.exchange, round)).clients),
    );
    expect(clients).toEqual([
      ["ann", "bob"],
      ["ann", "bob", "eve"],
      ["ann", "dee", "eve"],
      ["ann", "dee", "eve"],
    ]);
    expect((await openingOf(here.exchange, 4)).earlierRounds).toEqual([3, 1, 2]);
    const change = async (round: number) => readMessage(here.exchange, keys.membersChange(round), membersChange);
    expect(await change(1)).toBeUndefined();
    expect(await change(2)).toEqual({ round: 2, joined: [{ ...joining, client: "eve" }], left: [] });
    expect(await change(3)).toEqual({ round: 3, joined: [{ ...joining, client: "dee", records: 7 }], left: ["bob"] });
    expect(await change(4)).toBeUndefined();
    const told = events.filter(({ type }) => /^client-(joined|left|declined)$/.test(type));
    expect(told).toEqual([
      { type: "client-declined", client: "dee", reason: "not yet" },
      { type: "client-joined", round: 2, client: "eve", records: 5, heldOut: 0 },
      { type: "client-joined", round: 3, client: "dee", records: 7, heldOut: 0 },
      { type: "client-left", round: 3, client: "bob" },
    ]);
    expect(events.find(({ type }) => type === "client-refused")).toMatchObject({
      round: 3,
      client: "nil",
      reason: "its message to join cannot be used: it has no records to train on",
    });
  });

  it("are the population by which SCAFFOLD divides", async () => {
    const here = place();
    const updates: Promise<number>[] = [];
    const states: string[] = [];
    const watched: Store = {
      ...here.exchange,
      async setHead(revision, bytes) {
        states.push((JSON.parse(new TextDecoder().decode(bytes)) as { state: string }).state);
        return here.exchange.setHead(revision, bytes);
      },
    };
    const { events, sink } = recorded();
    await live({ ...here, exchange: watched }, new Life(), algorithmOf("scaffold"), { events: sink, rounds: 2 });
    for (const event of events) {
      if (event.type !== "client-update" || event.round !== 2) continue;
      const change = async () => first(await here.exchange.blob(event.update), "control");
      updates.push(change());
    }
    const [, before, after] = await Promise.all(
      states.map(async (hash) => first(await here.exchange.blob(hash), "control")),
    );
    const sum = (await Promise.all(updates)).reduce((total, each) => total + each, 0);
    expect(updates).toHaveLength(3);
    expect(after).toBeCloseTo(before! + sum / 3, 6);
  });

  it.each([fedavg, algorithmOf("scaffold")])("give the same head wherever a process dies: $name", async (algorithm) => {
    const counting = new Life();
    const expected = await live(place(), counting, algorithm);
    for (let at = 1; at <= counting.operations; at++) {
      for (const afterwards of counting.reads.has(at) ? [false] : [false, true]) {
        const here = place();
        await expect(live(here, new Life(at, afterwards), algorithm)).rejects.toThrow("killed");
        expect(await live(here, new Life(), algorithm), `operation ${at}`).toEqual(expected);
      }
    }
  });

  it("are not awaited once they left; and all gone, the run stops", async () => {
    const store = memoryStore();
    const coordinator = new Coordinator({ ...rulesOf(fedavg), store, members: membersOf(["ann", "bob"]) });
    await coordinator.advance();
    expect(await coordinator.advance()).toMatchObject({ state: "waiting", clients: ["ann", "bob"] });
    await participantOf(store, "bob", fedavg).leave();
    expect(await coordinator.advance()).toMatchObject({ state: "waiting", clients: ["ann"] });
    await participantOf(store, "ann", fedavg).act();
    expect(await coordinator.advance()).toEqual({ state: "moved" });
    await participantOf(store, "ann", fedavg).leave();
    await expect(coordinator.advance()).rejects.toThrow(
      "Round 2 has no clients: all members have left; 1 finished round",
    );
  });

  it("that left after they sent an update are in its round, and in none since", async () => {
    const store = memoryStore();
    const departed = new Set<string>();
    const { events, sink } = recorded();
    const members = membersOf(["ann", "bob"]);
    const options = { ...rulesOf(fedavg), store, members, departed: () => departed, events: sink };
    const coordinator = new Coordinator(options);
    await coordinator.advance();
    await coordinator.advance();
    await participantOf(store, "bob", fedavg).act();
    departed.add("bob");
    expect(await coordinator.advance()).toMatchObject({ state: "waiting", clients: ["ann"] });
    await participantOf(store, "ann", fedavg).act();
    await coordinator.advance();
    expect(events.find(({ type }) => type === "round-end")).toMatchObject({ accepted: ["ann", "bob"], refused: [] });
    await coordinator.advance();
    expect((await openingOf(store, 2)).clients).toEqual(["ann"]);
  });

  it("that were put out are not awaited, and what they sent to an open round is refused", async () => {
    const store = memoryStore();
    const out = new Set<string>();
    const { events, sink } = recorded();
    const options = { ...rulesOf(fedavg), store, members: membersOf(["ann", "bob"]), revoked: () => out, events: sink };
    const coordinator = new Coordinator(options);
    await coordinator.advance();
    await coordinator.advance();
    await participantOf(store, "bob", fedavg).act();
    out.add("bob");
    expect(await coordinator.advance()).toMatchObject({ clients: ["ann"] });
    await participantOf(store, "ann", fedavg).act();
    await coordinator.advance();
    expect(events.find(({ type }) => type === "round-end")).toMatchObject({ accepted: ["ann"], refused: ["bob"] });
    await coordinator.advance();
    expect((await openingOf(store, 2)).clients).toEqual(["ann"]);
  });
});

function first(bytes: Uint8Array, group: string): number {
  return [...decodeGroups(bytes, "test")[group]!.values()][0]!.data[0]!;
}

it("a coordinator's reads grow with the clients of a round, not with their square", async () => {
  const operations = async (population: number): Promise<number> => {
    const inner = memoryStore();
    const life = new Life();
    const names = Array.from({ length: population }, (_, i) => `c${i}`);
    const coordinator = new Coordinator({
      ...rulesOf(fedavg),
      store: life.wrap(inner),
      members: membersOf(names),
      rounds: 1,
    });
    for (;;) {
      const step = await coordinator.advance();
      if (step.state === "over") return life.operations;
      if (step.state === "waiting") await participantOf(inner, step.clients[0]!, fedavg).act();
    }
  };
  const [few, many] = [await operations(100), await operations(1000)];
  expect(many / few).toBeLessThan(10.5);
  expect(many).toBeLessThan(9 * 1000);
}, 60_000);

it("without anybody who comes or goes there is no cell of members", async () => {
  const here = place();
  await live(here, new Life(), fedavg, { newcomers: undefined, rounds: 1, events: quiet });
  expect((await here.exchange.list("")).filter((key) => /members/.test(key))).toEqual([]);
});
