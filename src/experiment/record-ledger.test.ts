import { describe, expect, it } from "vitest";
import { keys } from "../federation/protocol/keys.ts";
import { rdpEpsilon } from "../privacy/rdp.ts";
import { encodeJson } from "../store/codec.ts";
import { memoryStore } from "../store/memory-store.ts";
import type { Store } from "../store/store.ts";
import { recordLedger, type RecordSpending, recordSpending, type RoundSteps } from "./record-ledger.ts";

const privacy = { epsilon: 8, delta: 1e-5, clip: 0.5 };
const sent = "adapter and all";

interface Setup {
  readonly own?: Store;
  readonly exchange?: Store;
  readonly privacy?: Partial<typeof privacy> & { readonly noiseMultiplier?: number };
  readonly rounds?: number;
  readonly steps?: Partial<RoundSteps>;
}

function ledgerOf({ own = memoryStore(), exchange = memoryStore(), rounds = 3, ...more }: Setup = {}) {
  const config = { privacy: { ...privacy, ...more.privacy }, federation: { rounds } as never };
  return recordLedger(own, exchange, config, () => ({ rate: 0.1, steps: 5, ...more.steps }));
}

/** Plays rounds until the ledger refuses one. Returns their number and the sentence. */
async function play(ledger: ReturnType<typeof ledgerOf>, most = 1000, from = 1) {
  for (let round = from; round < from + most; round++) {
    const reason = await ledger.refuse(round, "ann");
    if (reason !== undefined) return { rounds: round - 1, reason };
    await ledger.charge(round, "ann", sent);
  }
  return { rounds: from + most - 1, reason: undefined };
}

describe("the ledger of a client's records", () => {
  it("has noise for all rounds of the run, and refuses the one after them", async () => {
    const own = memoryStore();
    const { rounds, reason } = await play(ledgerOf({ own, rounds: 12 }));
    expect(rounds).toBe(12);
    expect(reason).toBe("it has spent its budget (ε 8.00 of 8 at δ 0.00001 after 12 rounds)");
    const [spending] = (await recordSpending(own)) as [RecordSpending];
    expect(spending).toMatchObject({ ...privacy, client: "ann", rate: 0.1, steps: 5, rounds: 12 });
    const { rate, noiseMultiplier } = spending;
    expect(spending.spent).toBeCloseTo(rdpEpsilon([{ rate, noiseMultiplier, rounds: 60 }], 1e-5).epsilon, 9);
    expect(JSON.stringify(spending)).not.toContain("key");
  });

  it("stops a run whose noise is too little for it", async () => {
    const { rounds, reason } = await play(ledgerOf({ rounds: 100, privacy: { noiseMultiplier: 0.8 } }));
    expect(rounds).toBeGreaterThan(3);
    expect(rounds).toBeLessThan(100);
    expect(reason).toMatch(/^it has spent its budget \(ε 7\.\d\d of 8 at δ 0\.00001 after \d+ rounds\)$/);
  });

  it("keeps its noise where the run is lengthened, and stops at the budget", async () => {
    const own = memoryStore();
    await play(ledgerOf({ own, rounds: 4 }), 4);
    const before = (await recordSpending(own))[0]!.noiseMultiplier;
    const longer = await play(ledgerOf({ own, rounds: 40 }), 40, 5);
    expect(longer.rounds).toBe(4);
    expect((await recordSpending(own))[0]!.noiseMultiplier).toBe(before);
  });

  it("charges a round once, however often it begins, and has the same key for it", async () => {
    const own = memoryStore();
    const [first, again] = [
      await ledgerOf({ own }).charge(1, "ann", sent),
      await ledgerOf({ own }).charge(1, "ann", sent),
    ];
    expect(again).toEqual(first);
    expect((await recordSpending(own))[0]!.rounds).toBe(1);
    expect((await ledgerOf({ own }).charge(1, "bob", sent)).key).not.toBe(first.key);
    expect((await ledgerOf().charge(1, "ann", sent)).key).not.toBe(first.key);
  });

  it("does not train a round again from something else: the difference of two results would have no noise", async () => {
    const own = memoryStore();
    await ledgerOf({ own }).charge(2, "ann", sent);
    await expect(ledgerOf({ own }).charge(2, "ann", "another adapter")).rejects.toThrow(
      "Client ann began round 2 from another adapter than the exchange has now.",
    );
  });

  it.each([
    ["a lower budget", { privacy: { epsilon: 4 } }, "client ann began with privacy.record.epsilon 8, and now it is 4"],
    ["another delta", { privacy: { delta: 1e-6 } }, "client ann began with privacy.record.delta 0.00001"],
    ["another clip", { privacy: { clip: 1 } }, "client ann began with privacy.record.clip 0.5, and now it is 1"],
    ["other batches", { steps: { rate: 0.2 } }, "client ann began with a share of records in a step of 0.1"],
    ["more steps", { steps: { steps: 6 } }, "client ann began with a number of local steps of 5, and now it is 6"],
  ])("refuses %s after it began", async (_what, changed, message) => {
    const own = memoryStore();
    await play(ledgerOf({ own }), 1);
    await expect(ledgerOf({ own, ...changed }).refuse(2, "ann")).rejects.toThrow(message);
  });

  it("refuses to go on where the exchange has an update of a round that it lacks", async () => {
    const exchange = memoryStore();
    const update = { client: "ann", base: "0".repeat(64), update: "0".repeat(64), bytesDown: 1, bytesUp: 1 };
    await exchange.create(keys.update(1, "ann"), encodeJson({ client: "ann", refused: "no" }));
    await exchange.create(keys.update(2, "ann"), encodeJson(update));
    await expect(ledgerOf({ exchange }).refuse(3, "ann")).rejects.toThrow(
      "Client ann took part in round 2, and its privacy ledger has no such round.",
    );
    expect(await ledgerOf({ exchange }).refuse(2, "ann")).toBeUndefined();
    const accepted = [{ client: "cy", update: "0".repeat(64), records: 1 }];
    await exchange.create(keys.close(1), encodeJson({ round: 1, accepted, refused: [] }));
    await expect(ledgerOf({ exchange }).refuse(2, "cy")).rejects.toThrow("Client cy took part in round 1");
    expect(await ledgerOf({ exchange }).refuse(3, "bob")).toBeUndefined();
  });
});
