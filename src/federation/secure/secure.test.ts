import { describe, expect, it } from "vitest";
import {
  initialAdapter,
  Life,
  QuadraticTrainer,
  quiet,
  recorded,
  roster,
  targets,
} from "../../../test/support/federation.ts";
import { closeOf, type Fate, playSecure, RULES } from "../../../test/support/secure.ts";
import { algorithmOf } from "../../algorithms/registry.ts";
import { memoryStore } from "../../store/memory-store.ts";
import type { Store } from "../../store/store.ts";
import type { Params } from "../../tensor/params.ts";
import { stagesOf } from "../../updates/stage-registry.ts";
import { clientMemory } from "../client-memory.ts";
import { keys } from "../protocol/keys.ts";
import { simulate, type SimulationOptions } from "../simulate.ts";

const settings = { proxMu: 0.1, server: { beta1: 0.9, beta2: 0.99 } };

async function run(
  changes: Partial<SimulationOptions> = {},
  lived: (store: Store) => Store = (one) => one,
  store: Store = memoryStore(),
  own: Store = memoryStore(),
) {
  const options = {
    algorithm: algorithmOf("fedavg"),
    trainer: new QuadraticTrainer(targets),
    initialAdapter,
    identity: "settings",
    seed: 7,
    rounds: 3,
    clients: roster,
    clientsPerRound: 4,
    minClients: 1,
    learningRate: (round: number) => 0.1 / round,
    evaluateEvery: 0,
    events: quiet,
    ...changes,
  };
  const [exchange, mine] = [lived(store), lived(own)];
  const masking = changes.secure && { rules: changes.secure, own: mine };
  const memory = clientMemory(mine, exchange);
  const outcome = await simulate({ ...options, store: exchange, masking, memory });
  return { store, own, outcome };
}

const valuesOf = (adapter: Params): number[] => [...adapter.values()].flatMap(({ data }) => [...data]);

describe("a run with secure aggregation", () => {
  it.each(["fedavg", "fedprox", "fedavgm", "fedadagrad", "fedyogi", "fedadam", "scaffold"] as const)(
    "%s ends where the plain run does, within the grid",
    async (name) => {
      const algorithm = algorithmOf(name, settings);
      const { outcome } = await run({ algorithm, secure: RULES });
      const plain = valuesOf((await run({ algorithm })).outcome.adapter);
      valuesOf(outcome.adapter).forEach((value, i) => expect(Math.abs(value - plain[i]!)).toBeLessThan(2e-6));
    },
  );

  it("works with 16 bits, a stage, over-selection, a signed agreement on the survivors, and repeats its bytes", async () => {
    const algorithm = algorithmOf("fedavg");
    const stages = stagesOf([{ name: "clip", maxNorm: 0.5 } as never]);
    const changes = { algorithm, stages, clientsPerRound: 3, overSelect: 1.3 };
    const plain = valuesOf((await run(changes)).outcome.adapter);
    const secure = { ...RULES, bits: 16, range: 0.5, active: true } as const;
    const weighting = { weighting: "uniform" } as const;
    const uniform = { ...changes, algorithm: algorithmOf("fedavg", weighting), secure };
    const { outcome, store } = await run(uniform);
    const even = valuesOf((await run({ ...uniform, secure: undefined })).outcome.adapter);
    // Half a step of 2^-15·3·0.5 a client and round, and their mean.
    valuesOf(outcome.adapter).forEach((value, i) => expect(Math.abs(value - even[i]!)).toBeLessThan(3e-4));
    expect(plain).not.toEqual(even);
    expect((await closeOf(store, 1))!.accepted).toHaveLength(3);
    expect((await run(uniform)).outcome.head).toEqual(outcome.head);
  });

  it("sends no figures, and forgets masked vectors and keys of rounds that are over", async () => {
    const { events, sink } = recorded();
    const { store, own, outcome } = await run({ secure: RULES, events: sink });
    const updates = events.filter((event) => event.type === "client-update");
    expect(updates).toHaveLength(12);
    for (const event of updates) {
      expect(Object.keys(event).sort()).toEqual([
        "bytesDown",
        "bytesUp",
        "client",
        "ledger",
        "round",
        "type",
        "update",
      ]);
    }
    for (const { round, update } of updates) {
      if (round < 3) await expect(store.blob(update)).rejects.toThrow("not in the store");
      else expect((await store.blob(update)).length).toBe(4 * (9 + 4));
    }
    const decode = (bytes: Uint8Array | undefined): string => JSON.parse(new TextDecoder().decode(bytes)) as string;
    for (const round of [1, 2]) {
      const master = decode(await own.read(`secagg/ann/round-000${round}/master`));
      await expect(own.blob(master)).rejects.toThrow("not in the store");
    }
    expect(outcome.head.round).toBe(3);
  });
});

/** Every text of a store's cells, by key. */
async function textsOf(store: Store): Promise<Map<string, Record<string, unknown>>> {
  const found = new Map<string, Record<string, unknown>>();
  for (const key of await store.list("")) {
    found.set(key, JSON.parse(new TextDecoder().decode(await store.read(key))) as Record<string, unknown>);
  }
  return found;
}

/** No holder gave both shares of a client, and no two cells of a round have both. */
async function expectOneShareOfEach(store: Store, names: readonly string[]): Promise<void> {
  const opened = new Map<string, Set<string>>();
  for (const [key, cell] of await textsOf(store)) {
    if (!key.includes("/unmask/") || "refused" in cell) continue;
    const { self, mask } = cell as { self: object; mask: object };
    for (const [kind, shares] of Object.entries({ self, mask })) {
      for (const client of Object.keys(shares)) {
        expect(names).toContain(client);
        opened.set(client, (opened.get(client) ?? new Set()).add(kind));
      }
    }
  }
  for (const kinds of opened.values()) expect(kinds.size).toBe(1);
}

describe("all fates of a round of five clients", () => {
  const names = ["a", "b", "c", "d", "e"];

  it(
    "give the mean of the survivors, or a round that failed, in which nothing is opened",
    { timeout: 240_000 },
    async () => {
      const fates: readonly Fate[] = ["update", "unmask", "all"];
      const means = new Map<string, number[]>();
      for (let code = 0; code < 3 ** 5; code++) {
        const lostIn = Object.fromEntries(names.map((name, i) => [name, fates[Math.floor(code / 3 ** i) % 3]!]));
        const { store, outcome, close } = await playSecure({ names, lostIn });
        const alive = names.filter((name) => lostIn[name] !== "update");
        const answering = names.filter((name) => lostIn[name] === "all");
        await expectOneShareOfEach(store, names);
        if (alive.length < 3 || answering.length < 3) {
          expect(close.failed).toBeDefined();
          expect(close.accepted).toEqual([]);
          expect(valuesOf(outcome.adapter)).toEqual(valuesOf(initialAdapter));
          if (alive.length < 3) expect(await store.list(keys.unmaskings(1))).toEqual([]);
          continue;
        }
        expect(close.failed).toBeUndefined();
        expect(close.accepted.map(({ client }) => client)).toEqual(alive);
        const mean = valuesOf(outcome.adapter);
        const known = means.get(alive.join(" "));
        // Who answered last changes nothing.
        if (known !== undefined) expect(mean).toEqual(known);
        means.set(alive.join(" "), mean);
      }
      expect(means.size).toBe(10 + 5 + 1);
      for (const [alive, mean] of means) {
        const weights = alive.split(" ").map((name) => 10 * (names.indexOf(name) + 1));
        const pulls = alive.split(" ").map((name) => 1 + names.indexOf(name) / 4);
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        // Three steps of 0.1 towards the pull: w + (1 − 0.9³)(pull − w).
        valuesOf(initialAdapter).forEach((w, i) => {
          const want = weights.reduce((sum, weight, k) => sum + (weight * 0.271 * (pulls[k]! - w)) / total, w);
          expect(mean[i]!).toBeCloseTo(want, 5);
        });
      }
    },
  );

  it("in the first two phases shrink the cohort, or end the round", async () => {
    for (const [lostIn, alive] of [
      [{ a: "keys" }, "b c d e"],
      [{ a: "shares", d: "keys" }, "b c e"],
      [{ a: "shares", e: "update" }, "b c d"],
      [{ a: "keys", b: "keys", c: "keys" }, undefined],
      [{ a: "keys", b: "shares", c: "shares" }, undefined],
    ] as const) {
      const { close, store } = await playSecure({ names, lostIn });
      expect(close.failed === undefined).toBe(alive !== undefined);
      expect(close.accepted.map(({ client }) => client).join(" ")).toBe(alive ?? "");
      await expectOneShareOfEach(store, names);
    }
  });

  it("that end three rounds in a row stop the run, which goes on with the next round", async () => {
    const store = memoryStore();
    const own = memoryStore();
    const refuseRound = (): string => "the site is closed";
    const participant = (client: string) => ("abc".includes(client) ? { refuseRound } : {});
    const lost = { names, rounds: 4, store, own, participant };
    await expect(playSecure(lost)).rejects.toThrow(
      "3 rounds in a row have no sum; of round 3: 2 clients published keys, expected 3 or more.",
    );
    const { outcome } = await playSecure({ names, rounds: 4, store, own });
    expect(outcome.head.round).toBe(4);
    expect((await closeOf(store, 3))!.failed).toBeDefined();
    expect((await closeOf(store, 4))!.accepted).toHaveLength(5);
  });
});

describe("a run that is killed", () => {
  // Every write of one round, and some of two: what a round leaves for the next.
  it.each([
    [1, 1],
    [2, 3],
  ])(
    "after any write to either store ends with the same bytes (%i rounds)",
    { timeout: 240_000 },
    async (rounds, step) => {
      const changes = { algorithm: algorithmOf("scaffold", settings), rounds, clientsPerRound: 3, secure: RULES };
      const whole = new Life();
      const { outcome } = await run(changes, (store) => whole.wrap(store));
      const head = JSON.stringify(outcome.head);
      let kills = 0;
      for (let at = 1; at <= whole.operations; at += step) {
        // Died before an operation is died after the one before, and a read leaves nothing.
        if (whole.reads.has(at)) continue;
        const [store, own] = [memoryStore(), memoryStore()];
        for (let life = new Life(at, true); ; life = new Life()) {
          try {
            const end = await run(changes, (one) => life.wrap(one), store, own);
            expect(JSON.stringify(end.outcome.head)).toBe(head);
            break;
          } catch (error) {
            if (!(error instanceof Error) || error.message !== "killed") throw error;
            kills++;
          }
        }
        await expectOneShareOfEach(store, Object.keys(targets));
      }
      expect(kills).toBeGreaterThan(20);
    },
  );
});
