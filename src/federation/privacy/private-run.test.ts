import { describe, expect, it } from "vitest";
import {
  initialAdapter,
  Life,
  QuadraticTrainer,
  recorded,
  roster,
  scored,
  targets,
} from "../../../test/support/federation.ts";
import { algorithmOf } from "../../algorithms/registry.ts";
import { gaussianEpsilon, noiseFor } from "../../privacy/gaussian.ts";
import { decodeGroups } from "../../store/codec.ts";
import { globalNorm, mapParams, type Params } from "../../tensor/params.ts";
import { memoryStore } from "../../store/memory-store.ts";
import type { Store } from "../../store/store.ts";
import { clientMemory } from "../client-memory.ts";
import type { RunEvent } from "../events.ts";
import { keys } from "../protocol/keys.ts";
import { createMessage, readMessage } from "../protocol/cells.ts";
import { refusal, roundClose, roundOpening } from "../protocol/messages.ts";
import { simulate } from "../simulate.ts";
import { charge, ownKeys } from "./messages.ts";
import { PrivateRounds, type ClientPrivacyRules } from "./private-rounds.ts";
import { PrivacyLedger } from "./ledger.ts";
import { localNoise } from "./local-noise.ts";
import { ownLedger, paidFor } from "./own-ledger.ts";
import { clipping } from "./protect.ts";
import { sealing, unsealing } from "./sealing.ts";
import { secretKeyIn } from "./secret-key.ts";

const budget = { epsilon: 8, delta: 1e-3 };

const rules: ClientPrivacyRules = {
  mechanism: "central",
  budget,
  noiseMultiplier: noiseFor(budget.epsilon, budget.delta, 2),
  clip: 0.5,
  expectedClients: 2,
};

interface Place {
  readonly exchange: Store;
  readonly clients: Store;
  readonly own: Store;
}

const newPlace = (): Place => ({ exchange: memoryStore(), clients: memoryStore(), own: memoryStore() });

interface Changes {
  readonly life?: Life;
  readonly rounds?: number;
  readonly minClients?: number;
  readonly clientsPerRound?: number;
  readonly rules?: Partial<ClientPrivacyRules>;
  readonly trainer?: QuadraticTrainer;
  readonly algorithm?: "fedavg" | "fedadam" | "scaffold";
}

const KINDS = {
  "fedavg, central": {},
  "fedadam, central": { algorithm: "fedadam" },
  "scaffold, central": { algorithm: "scaffold" },
  "fedavg, local": { rules: { mechanism: "local" } },
  // Two clients a round are few: with more noise nothing is left for their count.
  "fedavg, a clip that follows": {
    rules: {
      clip: { start: 0.5, quantile: 0.5, rate: 0.2 },
      noiseMultiplier: 0.15,
      budget: { ...budget, epsilon: 200 },
    },
  },
} as const satisfies Record<string, Changes>;

/** A private run of one process: four clients, two a round. */
async function live(place: Place, changes: Changes = {}) {
  const { life = new Life(), rounds = 4, minClients = 1, clientsPerRound = 2, algorithm = "fedavg" } = changes;
  const [exchange, clients, own] = [place.exchange, place.clients, place.own].map((store) => life.wrap(store));
  const { events, sink } = recorded();
  const privacy = await PrivateRounds.open({
    own: own!,
    exchange: exchange!,
    identity: "settings",
    rules: { ...rules, ...changes.rules },
  });
  const store = await unsealing(exchange!, await secretKeyIn(own!));
  const { mechanism, noiseMultiplier, budget: all } = { ...rules, ...changes.rules };
  const weightOf = (): number => 1;
  const local = { own: clients!, exchange: exchange!, budget: all, clip: 0.5, noiseMultiplier, weightOf };
  const outcome = await simulate({
    store,
    privacy,
    figures: "kept",
    protect: mechanism === "local" ? localNoise(local) : clipping(0.5, weightOf),
    seal: sealing(clients!, exchange!),
    algorithm: algorithmOf(algorithm, { server: { beta1: 0.9, beta2: 0.99, learningRate: 0.1, tau: 0.1 } }),
    trainer: changes.trainer ?? new QuadraticTrainer(targets),
    memory: clientMemory(clients!, exchange!),
    initialAdapter,
    identity: "settings",
    seed: 7,
    rounds,
    clients: roster,
    clientsPerRound,
    minClients,
    learningRate: () => 0.1,
    evaluateEvery: 0,
    ...scored,
    events: sink,
  });
  return { outcome, events };
}

async function cohorts({ exchange }: Place, rounds: number): Promise<(readonly string[])[]> {
  const drawn: (readonly string[])[] = [];
  for (let round = 1; round <= rounds; round++) {
    drawn.push((await readMessage(exchange, keys.opening(round), roundOpening))!.clients);
  }
  return drawn;
}

const spentIn = (events: readonly RunEvent[]) => events.filter((event) => event.type === "privacy-spent");

describe("a private run", () => {
  it("draws alike, charges before it opens, and spends the budget in the rounds it was planned for", async () => {
    const place = newPlace();
    const { events } = await live(place);
    const drawn = await cohorts(place, 4);
    // Two of four in each of four rounds: everybody twice.
    for (const { name } of roster) expect(drawn.filter((clients) => clients.includes(name))).toHaveLength(2);
    const paid = (await place.own.list(ownKeys.ledger)).length;
    expect(paid).toBe(8);
    const [client] = drawn[2]!;
    expect(await readMessage(place.own, ownKeys.charge(client!, 3), charge)).toMatchObject({
      client,
      round: 3,
      noiseMultiplier: rules.noiseMultiplier,
      clip: 0.5,
      sampling: 1,
      weight: 1,
    });
    const told = spentIn(events);
    expect(told.map(({ round }) => round)).toEqual([1, 2, 3, 4]);
    expect(told[0]!.epsilon).toBeCloseTo(gaussianEpsilon(1 / rules.noiseMultiplier, budget.delta), 12);
    expect(told[3]!.epsilon).toBeLessThanOrEqual(8);
    expect(told[3]!.epsilon).toBeCloseTo(8, 6);
  });

  it("keeps no single update once a round is committed, and the exchange never had one in the clear", async () => {
    const place = newPlace();
    const seen: Uint8Array[] = [];
    const exchange: Store = {
      ...place.exchange,
      async putBlob(bytes) {
        seen.push(bytes);
        return place.exchange.putBlob(bytes);
      },
    };
    await live({ ...place, exchange });
    for (let round = 1; round <= 4; round++) {
      const close = (await readMessage(place.exchange, keys.close(round), roundClose))!;
      expect(close.accepted).toHaveLength(2);
      for (const { update } of close.accepted) await expect(place.exchange.blob(update)).rejects.toThrow();
    }
    const texts = seen.map((bytes) => new TextDecoder("latin1").decode(bytes));
    expect(texts.filter((text) => text.includes('"kind":"update"'))).toEqual([]);
    // No secret lies in the exchange either.
    const key = await readMessage(place.own, ownKeys.secret, (value) => value as string);
    for (const cell of await place.exchange.list("")) {
      expect(new TextDecoder().decode((await place.exchange.read(cell))!)).not.toContain(key);
    }
  });

  it("stops hard when too few have budget left, in one sentence, and says it again", async () => {
    const place = newPlace();
    const stopped = {
      kind: "training",
      message:
        "Client ann has spent its budget (ε 8.00 of 8 at δ 1e-3 after 2 rounds), and so have 3 others: round 5 needs at least 2 with budget left, and has 0.",
    };
    await expect(live(place, { rounds: 6, minClients: 2 })).rejects.toMatchObject(stopped);
    await expect(live(place, { rounds: 6, minClients: 2 })).rejects.toMatchObject(stopped);
    expect(await place.own.list(ownKeys.ledger)).toHaveLength(8);
  });

  it("has the noise of a round that lacks updates, and counts it", async () => {
    const broken = new QuadraticTrainer({ ann: Number.NaN, bob: Number.NaN, cy: Number.NaN, dee: Number.NaN });
    const place = newPlace();
    const { outcome } = await live(place, { rounds: 1, minClients: 2, trainer: broken });
    expect(outcome.head.round).toBe(1);
    const moved = [...outcome.adapter].some(([name, { data }]) =>
      data.some((x, i) => x !== initialAdapter.get(name)!.data[i]),
    );
    expect(moved).toBe(true);
  });
});

describe("SCAFFOLD in a private run", () => {
  it("has one clip over both groups, and a client remembers the clipped step: without noise c stays the mean of the cᵢ", async () => {
    const place = newPlace();
    const quiet = { noiseMultiplier: 1e-9, budget: { ...budget, epsilon: 1e30 }, expectedClients: 4 };
    const all = { algorithm: "scaffold", rounds: 3, clientsPerRound: 4, rules: quiet } as const;
    const { outcome } = await live(place, all);
    const { control } = decodeGroups(await place.exchange.blob(outcome.head.state), "state");
    const memory = clientMemory(place.clients, place.exchange);
    const own = await Promise.all(roster.map(async ({ name }) => (await memory.load(name, 4))["control"]!));
    for (const [name, { data }] of control!) {
      for (const [i, c] of data.entries()) {
        expect(c).toBeCloseTo(own.reduce((sum, each) => sum + each.get(name)!.data[i]!, 0) / 4, 5);
      }
    }
    // Three steps of norm ½ at most: cᵢ is no longer than their sum.
    for (const each of own) expect(globalNorm(each)).toBeLessThanOrEqual(1.5);
  });
});

describe("local noise", () => {
  it("is on each update before it is sent, of twice the clip, and paid for by the client too", async () => {
    const place = newPlace();
    const noiseMultiplier = 3;
    const own = place.clients;
    const received: Params = new Map([["w", { shape: [20_000], data: new Float32Array(20_000) }]]);
    const protect = localNoise({
      own,
      exchange: place.exchange,
      budget,
      clip: 0.5,
      noiseMultiplier,
      weightOf: () => 1,
    });
    const sent = await protect({ adapter: received }, { round: 1, client: "ann", received });
    const data = Float64Array.from(sent["adapter"]!.get("w")!.data);
    const variance = data.reduce((sum, x) => sum + x * x, 0) / data.length;
    expect(Math.abs(variance / (2 * 0.5 * noiseMultiplier) ** 2 - 1)).toBeLessThan(5 * Math.sqrt(2 / data.length));
    expect(await own.list(ownKeys.ledger)).toEqual([ownKeys.charge("ann", 1)]);
    // The same again is the same; another client, round or change has other noise.
    expect(await protect({ adapter: received }, { round: 1, client: "ann", received })).toEqual(sent);
    const others = [
      await protect({ adapter: received }, { round: 1, client: "bob", received }),
      await protect({ adapter: received }, { round: 2, client: "ann", received }),
    ];
    for (const other of others) expect(other).not.toEqual(sent);
  });

  it("of a client whose budget is spent or whose ledger is gone is not made", async () => {
    const place = newPlace();
    const received = initialAdapter;
    const half = { exchange: place.exchange, budget, clip: 0.5, noiseMultiplier: rules.noiseMultiplier };
    const protect = localNoise({ ...half, own: place.clients, weightOf: () => 1 });
    for (const round of [1, 2]) await protect({ adapter: received }, { round, client: "ann", received });
    await expect(protect({ adapter: received }, { round: 3, client: "ann", received })).rejects.toMatchObject({
      kind: "training",
      message: expect.stringContaining("Client ann has spent its budget (ε 8.00 of 8") as string,
    });
    await place.exchange.create(keys.update(1, "ann"), new TextEncoder().encode("{}"));
    const forgetful = localNoise({ ...half, own: memoryStore(), weightOf: () => 1 });
    await expect(forgetful({ adapter: received }, { round: 2, client: "ann", received })).rejects.toMatchObject({
      kind: "storage",
      message: expect.stringContaining("Client ann sent an update in round 1, and its ledger has no charge") as string,
    });
  });

  it("is made once for a round: another adapter for the same round is another release", async () => {
    const { clients: own, exchange } = newPlace();
    const half = { own, exchange, budget, clip: 0.5, noiseMultiplier: rules.noiseMultiplier, weightOf: () => 1 };
    const place = { round: 1, client: "ann", received: initialAdapter };
    await localNoise(half)({ adapter: initialAdapter }, place);
    const other = mapParams(initialAdapter, (x) => x + 0.25);
    const again = localNoise(half)({ adapter: other }, place);
    await expect(again).rejects.toMatchObject({
      kind: "storage",
      message: expect.stringContaining("of client ann for round 1 is another") as string,
    });
  });

  it("is made after a round that the client refused", async () => {
    const { clients: own, exchange } = newPlace();
    const half = { own, exchange, budget, clip: 0.5, noiseMultiplier: rules.noiseMultiplier, weightOf: () => 1 };
    await createMessage(exchange, keys.update(1, "ann"), refusal, { client: "ann", refused: "not today" });
    const place = { round: 2, client: "ann", received: initialAdapter };
    await expect(localNoise(half)({ adapter: initialAdapter }, place)).resolves.toBeDefined();
  });

  it("leaves the mean to any rule", async () => {
    const place = newPlace();
    const { outcome, events } = await live(place, KINDS["fedavg, local"]);
    expect(outcome.head.round).toBe(4);
    expect(spentIn(events).at(-1)!.epsilon).toBeCloseTo(8, 6);
    expect(await place.clients.list(ownKeys.ledger)).toEqual(await place.own.list(ownKeys.ledger));
  });
});

describe("a clip that follows the norms", () => {
  it("is told in the opening, grows while all are clipped, and is paid for as one noise", async () => {
    const place = newPlace();
    const far = new QuadraticTrainer({ ann: 90, bob: 90, cy: 90, dee: 90 });
    const { events } = await live(place, { ...KINDS["fedavg, a clip that follows"], trainer: far });
    const clips: number[] = [];
    for (let round = 1; round <= 4; round++) {
      clips.push((await readMessage(place.exchange, keys.opening(round), roundOpening))!.clip!);
    }
    expect(clips[0]).toBe(0.5);
    clips.slice(1).forEach((clip, i) => expect(clip).toBeGreaterThan(clips[i]!));
    expect(spentIn(events).map(({ clip }) => clip)).toEqual(clips);
    // Everybody twice, whatever the clip was.
    expect(spentIn(events).at(-1)!.epsilon).toBeCloseTo(gaussianEpsilon(Math.sqrt(2) / 0.15, budget.delta), 6);
  });
});

describe("a client that trusts nobody", () => {
  it("makes no update ready once its own ledger is spent, whatever the coordinator charged", async () => {
    const { clients: own, exchange } = newPlace();
    const pay = ownLedger({ own, exchange, budget, clip: 0.5, noiseMultiplier: rules.noiseMultiplier });
    const protect = paidFor(
      pay,
      clipping(0.5, () => 1),
    );
    const send = (round: number) =>
      protect({ adapter: initialAdapter }, { round, client: "ann", received: initialAdapter });
    for (const round of [1, 2, 2]) await send(round);
    await expect(send(3)).rejects.toMatchObject({
      kind: "training",
      message: expect.stringContaining("Client ann has spent its budget (ε 8.00 of 8") as string,
    });
  });
});

describe("a ledger", () => {
  it.each([
    ["ann", "zoe"],
    ["zoe", "ann"],
  ])("of a round that was charged twice, by terms that differ, has the larger noise: %s, %s", async (first, second) => {
    const own = memoryStore();
    const ledger = await PrivacyLedger.open(own, budget);
    const terms = { round: 3, clip: 0.5, sampling: 1, weight: 1, noiseKey: "0".repeat(64) };
    await ledger.charge({ ...terms, client: first, noiseMultiplier: 1 });
    await ledger.charge({ ...terms, client: second, noiseMultiplier: 2 });
    // A process that was killed before the opening, and one that goes on: who was charged before is charged again.
    await ledger.charge({ ...terms, client: first, noiseMultiplier: 2 });
    expect(ledger.termsOf(3)).toMatchObject({ noiseMultiplier: 2 });
    expect((await PrivacyLedger.open(own, budget)).termsOf(3)).toMatchObject({ noiseMultiplier: 2 });
  });

  it.each([
    [
      "that was deleted",
      (key: string) => key.startsWith(ownKeys.ledger),
      /the charge of client \w+ for round 1 is not/,
    ],
    ["that was set back", (key: string) => key.endsWith("/2"), /the charge of client \w+ for round 2 is not/],
    ["of which the key is gone", (key: string) => key === ownKeys.secret, /the key of its noise is not/],
    ["that is gone with its key", () => true, /the key of its noise is not/],
  ])("%s is refused, and nothing is done", async (_, isGone, message) => {
    const place = newPlace();
    await live(place, { rounds: 2 });
    const own = memoryStore();
    for (const key of await place.own.list("")) {
      if (!isGone(key)) await own.create(key, (await place.own.read(key))!);
    }
    const before = await place.exchange.list("");
    await expect(live({ ...place, own }, { rounds: 3 })).rejects.toMatchObject({
      kind: "storage",
      message: expect.stringMatching(message) as string,
    });
    expect(await place.exchange.list("")).toEqual(before);
  });
});

describe("after a crash", { timeout: 600_000 }, () => {
  it.each(Object.entries(KINDS))(
    "at any operation the same call ends with the same bytes: %s",
    async (_, kind: Changes) => {
      const first = newPlace();
      const counting = new Life();
      const expected = await live(first, { life: counting, rounds: 2, ...kind });
      // Another run has another key: what is compared are runs of this one.
      const secrets = async (place: Place): Promise<Place> => {
        for (const store of ["own", "clients"] as const) {
          await place[store].create(ownKeys.secret, (await first[store].read(ownKeys.secret))!);
        }
        return place;
      };
      let compared = 0;
      for (let at = 1; at <= counting.operations; at++) {
        for (const afterwards of counting.reads.has(at) ? [false] : [false, true]) {
          const place = await secrets(newPlace());
          await live(place, { life: new Life(at, afterwards), rounds: 2, ...kind }).catch((error: Error) => {
            expect(error.message).toBe("killed");
          });
          const next = await live(place, { rounds: 2, ...kind });
          expect(next.outcome.head).toEqual(expected.outcome.head);
          expect(await place.own.list("")).toEqual(await first.own.list(""));
          expect(await place.clients.list(ownKeys.ledger)).toEqual(await first.clients.list(ownKeys.ledger));
          compared++;
        }
      }
      expect(compared).toBeGreaterThan(100);
    },
  );
});
