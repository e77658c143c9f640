import { describe, expect, it } from "vitest";
import { goldenJson } from "../../test/support/golden.ts";
import { initialAdapter, QuadraticTrainer, recorded, roster, rulesOf, targets } from "../../test/support/federation.ts";
import { algorithmOf } from "../algorithms/registry.ts";
import { memoryStore } from "../store/memory-store.ts";
import type { Store } from "../store/store.ts";
import type { Params } from "../tensor/params.ts";
import { downlinkOf, stagesOf } from "../updates/stage-registry.ts";
import { clientMemory } from "./client-memory.ts";
import { adapterToSend, fetchAdapter } from "./downlink.ts";
import { createMessage, readMessage } from "./protocol/cells.ts";
import { keys } from "./protocol/keys.ts";
import { PROTOCOL, type RoundOpening, roundOpening } from "./protocol/messages.ts";
import { adapterBytes, readAdapter } from "./round.ts";
import { simulate, type SimulationOptions } from "./simulate.ts";

const codec = (name: string, settings: object = {}) => downlinkOf({ name, ...settings } as { name: "topk" })!;
const numbers = (of: Params): number[] => [...of.values()].flatMap(({ data }) => [...data]);

async function play(changes: Partial<SimulationOptions> = {}, exchange: Store = memoryStore()) {
  const { events, sink } = recorded();
  const outcome = await simulate({
    ...rulesOf(algorithmOf("fedavg")),
    store: exchange,
    clients: roster,
    trainer: new QuadraticTrainer(targets),
    memory: clientMemory(memoryStore(), exchange),
    events: sink,
    rounds: 5,
    ...changes,
  });
  const openings: RoundOpening[] = [];
  for (let round = 1; round <= outcome.head.round; round++) {
    openings.push((await readMessage(exchange, keys.opening(round), roundOpening))!);
  }
  return { ...outcome, exchange, events, openings };
}

it("sends what the golden file sends: what is lost is in the next difference", async () => {
  const store = memoryStore();
  const golden = goldenJson("compression.json").downlink_top1 as { global: number[]; clients_hold: number[] }[];
  const adapter = (values: number[]): Params => new Map([["w", { shape: [4], data: Float32Array.from(values) }]]);
  const downlink = { stage: codec("topk", { share: 0.25, values: "float16" }), seed: 1 };
  const rows = [{ global: [0, 0, 0, 0], clients_hold: [0, 0, 0, 0] }, ...golden];
  for (const [round, row] of rows.entries()) {
    const hash = await store.putBlob(adapterBytes(adapter(row.global)));
    const head = { protocol: PROTOCOL, round, adapter: hash, state: hash, identity: "" };
    const sent = await adapterToSend(store, head, downlink);
    expect(numbers(await readAdapter(store, sent.adapter))).toEqual(row.clients_hold);
    expect(await adapterToSend(store, head, downlink)).toEqual(sent);
    const task = { round: round + 1, clients: [], earlierRounds: [], learningRate: 1, broadcast: null };
    await createMessage(store, keys.opening(round + 1), roundOpening, { ...task, ...sent });
  }
});

describe("a run with a downlink", () => {
  const downlink = codec("int4");

  it("sends the first adapter to nobody who can make it, then changes to those who were in the round before", async () => {
    const { events, openings, exchange } = await play({ downlink, clientsPerRound: 2, rounds: 12 });
    expect(openings[0]).not.toHaveProperty("downlink");
    expect(openings.slice(1).every((opening) => opening.downlink !== undefined)).toBe(true);
    let [changes, wholes] = [0, 0];
    for (const event of events) {
      if (event.type !== "client-update") continue;
      const opening = openings[event.round - 1]!;
      const before = openings[event.round - 2];
      if (before === undefined) expect(event.bytesDown).toBe(0);
      else if (before.clients.includes(event.client)) {
        changes++;
        // 2 rows of A and a vector: 3 scales, 3 + 2 bytes of numbers, and a header without a name.
        expect(event.bytesDown).toBe(3 + 3 * 4 + 5);
      } else {
        wholes++;
        expect(event.bytesDown).toBe((await exchange.blob(opening.adapter)).length);
      }
    }
    expect(Math.min(changes, wholes)).toBeGreaterThan(2);
  });

  it("trains from what the clients hold, and moves the global adapter by their changes alone", async () => {
    const plain = await play({ rounds: 2 });
    const packed = await play({ downlink: codec("topk", { share: 0.2, values: "float16" }), rounds: 2 });
    // Round 1 has no difference to lose anything of.
    expect(packed.openings[0]!.adapter).toBe(plain.openings[0]!.adapter);
    expect(packed.openings[1]!.downlink!.global).toBe(plain.openings[1]!.adapter);
    const held = await readAdapter(packed.exchange, packed.openings[1]!.adapter);
    const global = await readAdapter(packed.exchange, packed.openings[1]!.downlink!.global);
    expect(numbers(held)).not.toEqual(numbers(global));
    // Every client of this trainer ends at y = t + c·(h − t): the mean change is (1 − c)·(mean t − h).
    const weights = roster.map(({ records }) => records / 100);
    const target = roster.reduce((sum, { name }, i) => sum + weights[i]! * targets[name as "ann"], 0);
    numbers(packed.adapter).forEach((w, i) =>
      expect(w).toBeCloseTo(numbers(global)[i]! + (1 - 0.9 ** 3) * (target - numbers(held)[i]!), 5),
    );
  });

  it("ends near a run without one", async () => {
    const [plain, packed] = [await play({ rounds: 20 }), await play({ rounds: 20, downlink: codec("int8") })];
    numbers(packed.adapter).forEach((w, i) => expect(w).toBeCloseTo(numbers(plain.adapter)[i]!, 2));
  });

  it("gives the adapter of an earlier round as it was, not as clients held it", async () => {
    const seen: [number, string][] = [];
    const exchange = memoryStore();
    const { openings } = await play(
      {
        downlink,
        async onRound({ round, adaptersAfter }) {
          for (let earlier = 1; earlier <= round; earlier++) {
            seen.push([earlier, await exchange.putBlob(adapterBytes(await (await adaptersAfter(earlier)).of()))]);
          }
        },
      },
      exchange,
    );
    for (const [round, hash] of seen) if (round < 5) expect(hash).toBe(openings[round]!.downlink!.global);
    expect(seen).toHaveLength(15);
  });

  it("keeps the sum of SCAFFOLD's c_i at N·c with updates packed both ways", async () => {
    const algorithm = algorithmOf("scaffold");
    const exchange = memoryStore();
    const memory = clientMemory(memoryStore(), exchange);
    const stages = stagesOf([{ name: "int4" }]);
    const { head } = await play({ algorithm, stages, downlink, memory }, exchange);
    const { decodeGroups } = await import("../store/codec.ts");
    const server = numbers(decodeGroups(await exchange.blob(head.state), "state")["control"]!);
    const own = await Promise.all(roster.map(async ({ name }) => numbers((await memory.load(name, 6))["control"]!)));
    server.forEach((c, i) => expect(own.reduce((sum, each) => sum + each[i]!, 0) / 4).toBeCloseTo(c, 5));
    expect(server.some((c) => Math.abs(c) > 0.01)).toBe(true);
  });
});

describe("a client", () => {
  it("takes no difference to another adapter than it holds, and fetches the whole", async () => {
    const { exchange, openings } = await play({ downlink: codec("int8") });
    const opening = openings.at(-1)!;
    const own = memoryStore();
    const memory = clientMemory(own, exchange);
    const fetched = () =>
      fetchAdapter(exchange, opening, "ann", memory, { stage: codec("int8"), seed: 7 }, initialAdapter);
    const whole = (await exchange.blob(opening.adapter)).length;
    // It holds nothing; then another adapter; then the right one.
    expect((await fetched()).bytes).toBe(whole);
    const other = clientMemory(memoryStore(), exchange);
    await other.hold("ann", opening.round - 1, adapterBytes(initialAdapter));
    const downlink = { stage: codec("int8"), seed: 7 };
    expect((await fetchAdapter(exchange, opening, "ann", other, downlink, undefined)).bytes).toBe(whole);
    const right = clientMemory(memoryStore(), exchange);
    await right.hold("ann", opening.round - 1, await exchange.blob(opening.downlink!.base));
    const { adapter, bytes } = await fetchAdapter(exchange, opening, "ann", right, downlink, undefined);
    expect(bytes).toBe((await exchange.blob(opening.downlink!.change)).length);
    expect(numbers(adapter)).toEqual(numbers(await readAdapter(exchange, opening.adapter)));
    // A change that does not make the adapter that is named is not used.
    const lie = { ...opening, downlink: { ...opening.downlink!, base: openings.at(-3)!.adapter } };
    const liar = clientMemory(memoryStore(), exchange);
    await liar.hold("ann", opening.round - 1, await exchange.blob(lie.downlink.base));
    const told = await fetchAdapter(exchange, lie, "ann", liar, downlink, undefined);
    expect([told.bytes, numbers(told.adapter)]).toEqual([whole, numbers(adapter)]);
  });

  it("keeps the adapters of two rounds", async () => {
    const own = memoryStore();
    const memory = clientMemory(own, memoryStore());
    const adapters = [1, 2, 3].map((x) => new Map([["w", { shape: [1], data: Float32Array.of(x) }]]));
    const hashes: string[] = [];
    for (const [i, adapter] of adapters.entries()) {
      await memory.hold("ann", i + 1, adapterBytes(adapter));
      hashes.push(await memoryStore().putBlob(adapterBytes(adapter)));
    }
    const kept = await Promise.all(hashes.map((hash, i) => memory.held("ann", i + 1, hash)));
    expect(kept.map((bytes) => bytes !== undefined)).toEqual([false, true, true]);
    expect(await memory.held("ann", 3, hashes[1]!)).toBeUndefined();
    expect(await memory.held("bob", 3, hashes[2]!)).toBeUndefined();
  });
});
