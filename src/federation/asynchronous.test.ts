import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import * as fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import {
  Life,
  membersOf,
  participantOf,
  QuadraticTrainer,
  recorded,
  roster,
  rulesOf,
  scored,
  targets,
} from "../../test/support/federation.ts";
import { algorithmOf, type AlgorithmName } from "../algorithms/registry.ts";
import { openEventLog } from "../node/store/event-log.ts";
import { decodeJson, encodeGroups, encodeJson } from "../store/codec.ts";
import { memoryStore } from "../store/memory-store.ts";
import type { Store } from "../store/store.ts";
import { clientMemory } from "./client-memory.ts";
import { coordinate } from "./coordinate.ts";
import { Coordinator } from "./coordinator.ts";
import { participate } from "./participate.ts";
import { readHead, readMessage } from "./protocol/cells.ts";
import { keys } from "./protocol/keys.ts";
import { clientTask, roundClose, roundOpening, type RunHead } from "./protocol/messages.ts";
import { eventsThatHold } from "./resume.ts";
import { aggregate, readAdapter } from "./round.ts";
import { simulate, type SimulationOptions } from "./simulate.ts";
import type { AsynchronousRules } from "./staleness.ts";

const temporary = mkdtempSync(path.join(tmpdir(), "asynchronous-"));
afterAll(() => rmSync(temporary, { recursive: true }));

const NAMES: readonly AlgorithmName[] = ["fedavg", "fedprox", "fedavgm", "fedadagrad", "fedyogi", "fedadam"];
const names = roster.map(({ name }) => name);
const buffered = (changes: Partial<AsynchronousRules> = {}): AsynchronousRules => ({
  bufferSize: 2,
  staleness: { by: "sqrt", most: 10 },
  ...changes,
});

async function play(changes: Partial<SimulationOptions>, store: Store = memoryStore()) {
  const half = { trainer: new QuadraticTrainer(targets), memory: clientMemory(memoryStore(), store) };
  const rules = { ...rulesOf(algorithmOf("fedavg")), rounds: 6 };
  return { store, ...(await simulate({ ...rules, ...half, store, clients: roster, ...changes })) };
}

const closeOf = async (store: Store, round: number) => (await readMessage(store, keys.close(round), roundClose))!;
const closes = (store: Store, rounds: number) =>
  Promise.all(Array.from({ length: rounds }, (_, i) => closeOf(store, i + 1)));

describe("an asynchronous run", () => {
  it("closes each round with the first K that arrive, and says of each how old it is", async () => {
    const { store } = await play({ asynchronous: buffered(), rounds: 8 });
    const all = await closes(store, 8);
    for (const { round, accepted } of all) {
      expect(accepted).toHaveLength(2);
      for (const entry of accepted) {
        if (entry.round === undefined) expect(entry).not.toHaveProperty("factor");
        else {
          expect(entry.round).toBeLessThan(round);
          expect(entry.factor).toBe(1 / Math.sqrt(1 + round - entry.round));
          expect(entry.base).toBe((await readMessage(store, keys.opening(entry.round), roundOpening))!.adapter);
        }
      }
    }
    expect(all.flatMap(({ accepted }) => accepted).some(({ round }) => round !== undefined)).toBe(true);
    // In the order of arrival, which is not that of names.
    expect(all.some(({ accepted: [a, b] }) => a!.client > b!.client)).toBe(true);
    // A client that is faster is in more rounds.
    const times = names.map(
      (name) => all.filter(({ accepted }) => accepted.some(({ client }) => client === name)).length,
    );
    expect(Math.max(...times)).toBeGreaterThan(Math.min(...times));
  });

  it("can be repeated, and depends on the seed", async () => {
    const head = async (seed: number) => (await play({ asynchronous: buffered(), seed })).head;
    expect(await head(7)).toEqual(await head(7));
    expect((await head(8)).adapter).not.toBe((await head(7)).adapter);
  });

  it.each(NAMES)("with a buffer for all clients is the synchronous run, bit for bit: %s", async (name) => {
    const settings = { proxMu: 0.1, server: { beta1: 0.9, beta2: 0.99 } };
    const algorithm = algorithmOf(name, settings);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 1e6 }), fc.integer({ min: 1, max: 4 }), async (seed, count) => {
        const clients = roster.slice(0, count);
        const common = { algorithm, seed, clients, rounds: 3 };
        const together = await play({ ...common, asynchronous: buffered({ bufferSize: count }) });
        expect(together.head).toEqual((await play(common)).head);
      }),
      { numRuns: 8 },
    );
  });

  it("does not depend on who arrives first inside a buffer", async () => {
    const paces = [1, -1].map((sign) => (client: string) => 10 + sign * names.indexOf(client));
    const [up, down] = await Promise.all(
      paces.map((pace) => play({ asynchronous: buffered({ bufferSize: 4 }), pace, rounds: 2 })),
    );
    expect(down!.head).toEqual(up!.head);
    const order = async ({ store }: { store: Store }) => (await closeOf(store, 1)).accepted.map(({ client }) => client);
    expect(await order(down!)).toEqual((await order(up!)).toReversed());
  });

  it("takes of an old update its change, times its factor", async () => {
    // Ann answers four times while Bob trains once.
    const pace = (client: string): number => (client === "ann" ? 1 : 4.5);
    const clients = roster.slice(0, 2);
    const at = (by: AsynchronousRules["staleness"]["by"]) =>
      play({ asynchronous: buffered({ bufferSize: 1, staleness: { by, most: 10 } }), pace, clients, rounds: 5 });
    const [sqrt, constant] = [await at("sqrt"), await at("constant")];
    const last = (await closeOf(sqrt.store, 5)).accepted[0]!;
    expect([last.client, last.round, last.factor]).toEqual(["bob", 1, 1 / Math.sqrt(5)]);
    const base = (await readMessage(sqrt.store, keys.opening(5), roundOpening))!.adapter;
    const of = async (store: Store, hash: string) =>
      [...(await readAdapter(store, hash)).values()].flatMap(({ data }) => [...data]);
    const [before, some, whole] = [
      await of(sqrt.store, base),
      await of(sqrt.store, sqrt.head.adapter),
      await of(constant.store, constant.head.adapter),
    ];
    for (const [i, start] of before.entries()) {
      expect(some[i]! - start).toBeCloseTo((whole[i]! - start) / Math.sqrt(5), 6);
    }
  });

  it("gives up a task that is too old, deletes its update, and gives the client another", async () => {
    const pace = (client: string): number => (client === "bob" ? 100 : 1);
    const store = memoryStore();
    const rules = { ...rulesOf(algorithmOf("fedavg")), rounds: 5, pace };
    const asynchronous = buffered({ bufferSize: 1, staleness: { by: "sqrt", most: 1 } });
    const members = membersOf(["ann", "bob"]);
    const coordinator = new Coordinator({ ...rules, store, members, asynchronous });
    const participant = (client: string) => participantOf(store, client, rules.algorithm, { asynchronous });
    let sent: string | undefined;
    for (let round = 1; round <= 4;) {
      const step = await coordinator.advance();
      if (step.state !== "waiting") continue;
      expect(await participant("ann").act()).toBe("worked");
      expect(await coordinator.advance()).toEqual({ state: "moved" });
      // Bob has not seen that round 3 is open.
      if (++round === 3) {
        const opening = (await readMessage(store, keys.opening(1), roundOpening))!;
        sent = await store.putBlob(encodeGroups({ adapter: await readAdapter(store, opening.adapter) }, { late: "1" }));
        const figures = { loss: 1, count: 1, metrics: {}, steps: 1, examples: 1, supervisedTokens: 1 };
        const more = { bytesDown: 0, bytesUp: 0, seconds: 1, client: "bob", base: opening.adapter, update: sent };
        await store.create(keys.update(1, "bob"), encodeJson({ ...figures, ...more }));
      }
    }
    expect(await readMessage(store, keys.task(1, "bob"), clientTask)).toMatchObject({ earlierRounds: 0 });
    expect(await readMessage(store, keys.task(3, "bob"), clientTask)).toMatchObject({ earlierRounds: 1 });
    for (const { accepted } of await closes(store, 4)) expect(accepted.map(({ client }) => client)).toEqual(["ann"]);
    await expect(store.blob(sent!)).rejects.toThrow("not in the store");
  });

  it("lets only so many train at the same time, those that are there first", async () => {
    const store = memoryStore();
    const asynchronous = buffered({ concurrency: 2 });
    const available = () => new Set(["cy", "dee"]);
    const options = { ...rulesOf(algorithmOf("fedavg")), store, members: membersOf(names), asynchronous, available };
    const coordinator = new Coordinator(options);
    await coordinator.advance();
    expect(await coordinator.advance()).toMatchObject({ state: "waiting", clients: ["cy", "dee"] });
    expect(await coordinator.advance()).toMatchObject({ clients: ["cy", "dee"] });
    await participantOf(store, "dee", options.algorithm, { asynchronous }).act();
    expect(await coordinator.advance()).toMatchObject({ clients: { length: 2 } });
    expect((await store.list(keys.tasks(1))).length).toBe(3);
  });

  it.each(["scaffold", "local"] as const)("refuses %s, whose clients keep a memory", async (name) => {
    const algorithm = algorithmOf(name);
    await expect(play({ asynchronous: buffered(), algorithm })).rejects.toThrow(`${name} keeps a memory`);
    await expect(play({ late: { by: "sqrt", most: 1 }, algorithm })).rejects.toThrow(`${name} keeps a memory`);
  });

  it("without a usable update stops as others do", async () => {
    const trainer = new QuadraticTrainer({ ann: Number.NaN, bob: Number.NaN, cy: Number.NaN, dee: Number.NaN });
    await expect(play({ asynchronous: buffered(), trainer })).rejects.toThrow(
      "Round 1 has 0 usable updates and needs 1",
    );
  });

  it("goes on with the others where one is refused", async () => {
    const { events, sink } = recorded();
    const trainer = new QuadraticTrainer({ ...targets, ann: Number.NaN });
    const { head } = await play({ asynchronous: buffered(), trainer, events: sink });
    expect(head.round).toBe(6);
    expect(events.some((event) => event.type === "client-refused" && event.client === "ann")).toBe(true);
  });
});

describe("after a crash of an asynchronous run", () => {
  const fragile = { ...targets, cy: Number.NaN };
  const changes = { ...scored, rounds: 4, evaluateEvery: 2, asynchronous: buffered({ concurrency: 3 }) };

  async function live(place: { exchange: Store; own: Store; log: string }, life: Life): Promise<string> {
    const log = await openEventLog(place.log, await eventsThatHold(place.exchange));
    const events = { emit: log.emit, flush: () => life.operation(() => log.flush()) };
    const store = life.wrap(place.exchange);
    const memory = clientMemory(life.wrap(place.own), store);
    try {
      const { head } = await play({ ...changes, memory, events, trainer: new QuadraticTrainer(fragile) }, store);
      return JSON.stringify(head);
    } finally {
      log.close();
    }
  }

  const lines = (log: string): string[] =>
    readFileSync(log, "utf8")
      .trimEnd()
      .split("\n")
      .filter((line) => !line.includes('"run-resume"'))
      .map((line) => line.replace(/"seconds":[^,}]*/, ""))
      .sort();

  it("at any operation the same call ends with the same bytes, closes and events", async () => {
    let count = 0;
    const place = () => ({
      exchange: memoryStore(),
      own: memoryStore(),
      log: path.join(temporary, `${++count}.jsonl`),
    });
    const undisturbed = place();
    const counting = new Life();
    const expected = await live(undisturbed, counting);
    const decisions = JSON.stringify(await closes(undisturbed.exchange, 4));
    const expectedLines = lines(undisturbed.log);
    expect(expectedLines.some((line) => line.includes("client-refused"))).toBe(true);
    for (let at = 1; at <= counting.operations; at++) {
      for (const afterwards of counting.reads.has(at) ? [false] : [false, true]) {
        const here = place();
        await expect(live(here, new Life(at, afterwards))).rejects.toThrow("killed");
        expect(await live(here, new Life()), `operation ${at}`).toBe(expected);
        expect(JSON.stringify(await closes(here.exchange, 4)), `operation ${at}`).toBe(decisions);
        expect(lines(here.log), `operation ${at}, ${afterwards ? "after" : "before"}`).toEqual(expectedLines);
        rmSync(here.log);
      }
    }
  }, 120_000);

  it("between real halves, another coordinator makes the same adapter of the close", async () => {
    const store = memoryStore();
    const asynchronous = buffered({ bufferSize: 3 });
    const options = { ...rulesOf(algorithmOf("fedadam")), store, members: membersOf(names), asynchronous };
    const coordinator = new Coordinator(options);
    await coordinator.advance();
    await coordinator.advance();
    for (const client of ["dee", "ann", "cy"]) {
      await participantOf(store, client, options.algorithm, { asynchronous, pull: 2 }).act();
      if (client !== "cy") await coordinator.advance();
    }
    const stuck: Store = { ...store, setHead: () => Promise.reject(new Error("killed")) };
    await expect(new Coordinator({ ...options, store: stuck }).advance()).rejects.toThrow("killed");
    const { accepted } = await closeOf(store, 1);
    expect(accepted).toHaveLength(3);
    await coordinator.advance();
    const one = (await readHead(store))!.head;
    expect(one.round).toBe(1);
    expect(await closeOf(store, 1)).toMatchObject({ accepted });
  });
});

describe("two halves of an asynchronous run", () => {
  it("end together, and each round follows from the store alone, whatever the timing was", async () => {
    const inner = memoryStore();
    const heads: RunHead[] = [];
    const store: Store = {
      ...inner,
      forget: async () => undefined,
      setHead(revision, bytes) {
        heads.push(decodeJson(bytes) as RunHead);
        return inner.setHead(revision, bytes);
      },
    };
    const algorithm = algorithmOf("fedadam");
    const asynchronous = buffered({ concurrency: 3 });
    const members = membersOf(names);
    const half = (clients: readonly string[]) =>
      participate(
        store,
        clients.map((client) =>
          participantOf(store, client, algorithm, { asynchronous, pull: targets[client as "ann"] }),
        ),
      );
    const halves = [half(["ann"]), half(["bob", "cy"]), half(["dee"])];
    const options = { ...rulesOf(algorithm), rounds: 6, members, asynchronous, store };
    const { head } = await coordinate(options);
    expect((await Promise.all(halves)).map(({ round }) => round)).toEqual([6, 6, 6]);
    expect(heads.at(-1)).toEqual(head);
    for (const [i, before] of heads.slice(0, -1).entries()) {
      const close = await closeOf(store, i + 1);
      expect(close.accepted).toHaveLength(2);
      expect(await aggregate(store, algorithm, before, close, members.length, { seed: 7 })).toEqual(heads[i + 1]);
    }
  });
});
