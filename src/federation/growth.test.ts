import { expect, it } from "vitest";
import {
  Life,
  membersOf,
  participantOf,
  QuadraticTrainer,
  roster,
  rulesOf,
  scored,
  targets,
} from "../../test/support/federation.ts";
import { type AlgorithmName, algorithmOf } from "../algorithms/registry.ts";
import { decodeJson, encodeJson } from "../store/codec.ts";
import { memoryStore } from "../store/memory-store.ts";
import { mirroredStore } from "../store/mirrored-store.ts";
import { BlobError, type Store } from "../store/store.ts";
import { downlinkOf, stagesOf } from "../updates/stage-registry.ts";
import { clientMemory } from "./client-memory.ts";
import { Coordinator } from "./coordinator.ts";
import { readMessage } from "./protocol/cells.ts";
import { keys } from "./protocol/keys.ts";
import { roundOpening } from "./protocol/messages.ts";
import { isAccepted } from "./restore.ts";
import { readAdapter } from "./round.ts";
import { simulate, type SimulationOptions } from "./simulate.ts";

/** A store that can tell what it holds. */
function countedStore(): { store: Store; blobs: Map<string, number> } {
  const inner = memoryStore();
  const blobs = new Map<string, number>();
  const store: Store = {
    ...inner,
    async putBlob(bytes) {
      const hash = await inner.putBlob(bytes);
      blobs.set(hash, bytes.length);
      return hash;
    },
    async forget(hashes) {
      for (const hash of hashes) blobs.delete(hash);
      await inner.forget(hashes);
    },
  };
  return { store, blobs };
}

const mirrored = (store: Store, record: Store): Store =>
  mirroredStore(store, record, (hash, owner) => isAccepted(record, hash, owner));

interface Place {
  readonly exchange: Store;
  readonly own: Store;
}

function play({ exchange, own }: Place, algorithm: AlgorithmName, changes: Partial<SimulationOptions>) {
  return simulate({
    ...rulesOf(algorithmOf(algorithm)),
    clientsPerRound: 3,
    evaluateEvery: 1,
    clients: roster,
    trainer: new QuadraticTrainer(targets),
    memory: clientMemory(own, exchange),
    store: exchange,
    ...scored,
    ...changes,
  });
}

const staleness = { by: "sqrt", most: 2 } as const;
const RUNS: readonly [AlgorithmName, Partial<SimulationOptions>][] = [
  ["fedavg", {}],
  ["fedadam", {}],
  ["scaffold", {}],
  ["local", {}],
  ["scaffold", { stages: stagesOf([{ name: "topk" }]), downlink: downlinkOf({ name: "int4" }) }],
  ["fedavg", { overSelect: 1.4, late: staleness }],
  ["fedavg", { overSelect: 1.4, late: staleness, downlink: downlinkOf({ name: "int8" }) }],
  ["fedadam", { asynchronous: { bufferSize: 2, staleness } }],
];

/** Of equal adapters, states and updates in the last rounds: what is there is told by their bytes. */
const held = (blobs: ReadonlyMap<string, number>): number[] => [...blobs.values()].sort((a, b) => a - b);

it.each(RUNS)("%s with %j: no round leaves more blobs behind, and the record has all", async (name, changes) => {
  const after = async (rounds: number) => {
    const { store, blobs } = countedStore();
    const record = memoryStore();
    const place = { exchange: mirrored(store, record), own: memoryStore() };
    await play(place, name, { ...changes, rounds });
    for (let round = 1; round <= rounds; round++) {
      const opening = (await readMessage(record, keys.opening(round), roundOpening))!;
      expect((await readAdapter(record, opening.adapter)).size).toBeGreaterThan(0);
    }
    return held(blobs);
  };
  const [few, many] = [await after(8), await after(40)];
  expect(few.length).toBeGreaterThan(0);
  expect(many.length).toBeLessThanOrEqual(few.length + roster.length);
  const bytes = (sizes: readonly number[]): number => sizes.reduce((sum, size) => sum + size, 0);
  // An update that came late is there for a few rounds more.
  expect(bytes(many)).toBeLessThan(1.5 * bytes(few));
});

it.each(RUNS)(
  "%s with %j: a coordinator that died leaves no blob that an undisturbed one had deleted",
  async (name, changes) => {
    const undisturbed = countedStore();
    const rules = { ...changes, rounds: 4 };
    const expected = await play(
      { exchange: mirrored(undisturbed.store, memoryStore()), own: memoryStore() },
      name,
      rules,
    );
    let deaths = 0;
    for (let last = 5; ; last += 3) {
      const { store, blobs } = countedStore();
      const [record, own] = [memoryStore(), memoryStore()];
      const life = new Life(last, deaths % 2 === 1);
      const end = await play({ exchange: mirrored(life.wrap(store), record), own }, name, rules).then(
        () => "done",
        (error: Error) => error.message,
      );
      if (end === "done") break;
      expect(end).toBe("killed");
      deaths++;
      expect((await play({ exchange: mirrored(store, record), own }, name, rules)).head).toEqual(expected.head);
      expect(new Set(blobs.keys())).toEqual(new Set(undisturbed.blobs.keys()));
    }
    expect(deaths).toBeGreaterThan(20);
  },
);

it("a client whose adapter is deleted while it fetches looks again if the head has moved, and ends if not", async () => {
  const algorithm = algorithmOf("fedavg");
  const store = memoryStore();
  const coordinator = new Coordinator({ ...rulesOf(algorithm), store, members: membersOf(["ann"]) });
  while ((await coordinator.advance()).state === "moved");
  const head = (await store.head())!;
  const moved = encodeJson({ ...(decodeJson(head.bytes) as object), round: 1 });
  const heads = [head.bytes, head.bytes, head.bytes, moved];
  const without: Store = {
    ...store,
    blob: () => Promise.reject(new BlobError("Blob is not in the store.")),
    head: async () => ({ revision: 1, bytes: heads.shift()! }),
  };
  const ann = participantOf(without, "ann", algorithm);
  await expect(ann.act()).rejects.toThrow("Blob is not in the store.");
  expect(await ann.act()).toBe("worked");
  expect(heads).toEqual([]);
});
