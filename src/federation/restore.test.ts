import { expect, it } from "vitest";
import { Life, QuadraticTrainer, roster, rulesOf, scored, targets } from "../../test/support/federation.ts";
import { algorithmOf } from "../algorithms/registry.ts";
import { memoryStore } from "../store/memory-store.ts";
import { mirroredStore } from "../store/mirrored-store.ts";
import { type Store, writerSegment } from "../store/store.ts";
import { downlinkOf, stagesOf } from "../updates/stage-registry.ts";
import { clientMemory } from "./client-memory.ts";
import { isAccepted, restoreRun } from "./restore.ts";
import { simulate } from "./simulate.ts";

const SYNCHRONOUS = { algorithm: algorithmOf("scaffold") };
const COMPRESSED = { ...SYNCHRONOUS, downlink: downlinkOf({ name: "int4" }), stages: stagesOf([{ name: "topk" }]) };
const ASYNCHRONOUS = {
  algorithm: algorithmOf("fedadam"),
  asynchronous: { bufferSize: 2, staleness: { by: "sqrt", most: 10 } },
} as const;

function play(exchange: Store, own: Store, changes: typeof SYNCHRONOUS | typeof ASYNCHRONOUS) {
  return simulate({
    ...rulesOf(changes.algorithm),
    ...changes,
    clientsPerRound: 3,
    evaluateEvery: 1,
    clients: roster,
    trainer: new QuadraticTrainer(targets),
    memory: clientMemory(own, exchange),
    store: exchange,
    ...scored,
  });
}

const mirrored = (store: Store, copy: Store): Store =>
  mirroredStore(store, copy, (hash, owner) => isAccepted(copy, hash, owner));

it.each([
  ["a run", SYNCHRONOUS],
  ["an asynchronous run", ASYNCHRONOUS],
  ["a run compressed both ways", COMPRESSED],
])("%s goes on from the copy, to the same end, wherever its exchange was lost", async (_what, changes) => {
  const expected = (await play(memoryStore(), memoryStore(), changes)).head;
  let losses = 0;
  for (let last = 20; ; last += 7) {
    const [lost, copy, own] = [memoryStore(), memoryStore(), memoryStore()];
    const life = new Life(last);
    const end = await play(mirrored(life.wrap(lost), copy), own, changes).then(
      () => "done",
      (error: Error) => error.message,
    );
    if (end === "done") break;
    expect(end).toBe("killed");
    losses++;
    const fresh = memoryStore();
    const restored = await restoreRun(fresh, copy);
    const begun = await copy.head();
    expect(restored === undefined).toBe(begun === undefined);
    const outcome = await play(mirrored(fresh, copy), own, changes);
    expect(outcome.head).toEqual(expected);
    expect(await restoreRun(fresh, copy)).toBeUndefined();
  }
  expect(losses).toBeGreaterThan(20);
});

it("knows the cells that clients write", () => {
  expect(
    ["member/a", "decline/a", "leave/=5a", "round-0003/update/a", "round-0003/scores/a"].map(writerSegment),
  ).toEqual(["a", "a", "=5a", "a", "a"]);
  for (const key of ["manifest", "roster", "round-0001/open", "round-0001/close", "member/a/b"]) {
    expect(writerSegment(key)).toBeUndefined();
  }
});
