import { describe, expect, it } from "vitest";
import { initialAdapter, QuadraticTrainer, quiet, roster, scored, targets } from "../../test/support/federation.ts";
import { algorithmOf } from "../algorithms/registry.ts";
import { encodeJson } from "../store/codec.ts";
import { memoryStore } from "../store/memory-store.ts";
import { type Identity, newIdentity } from "../identity/keys.ts";
import { signedStore } from "../identity/signed-store.ts";
import { type Store, writerSegment } from "../store/store.ts";
import { clientMemory } from "./client-memory.ts";
import { Coordinator } from "./coordinator.ts";
import { readEvaluation } from "./evaluation.ts";
import { Participant } from "./participant.ts";
import { readMessage } from "./protocol/cells.ts";
import { keys } from "./protocol/keys.ts";
import { type Member, PROTOCOL, roundClose } from "./protocol/messages.ts";
import { eventsThatHold } from "./resume.ts";
import { awaitManifest, type Declined, gatherRoster, readDeclined } from "./roster.ts";

const algorithm = algorithmOf("fedavg");
const names = roster.map(({ name }) => name);
const members: Member[] = roster.map(({ name, records }) => ({
  protocol: PROTOCOL,
  client: name,
  records,
  heldOut: 1,
  data: "",
}));

function coordinatorOf(store: Store): Coordinator {
  return new Coordinator({
    store,
    algorithm,
    initialAdapter,
    identity: "settings",
    seed: 7,
    rounds: 2,
    members,
    clientsPerRound: 4,
    minClients: 1,
    learningRate: () => 0.1,
    evaluateEvery: 1,
    evaluate: scored.evaluate,
    events: quiet,
  });
}

const participantOf = (store: Store, client: string): Participant =>
  new Participant({
    store,
    client,
    algorithm,
    seed: 7,
    trainer: new QuadraticTrainer(targets),
    memory: clientMemory(memoryStore(), store),
    evaluate: scored.evaluateClient(client),
    events: quiet,
  });

/** Plays until the round is closed: the honest clients act, `dee` writes what `hostile` says. */
async function play(hostile: (store: Store) => Promise<void>): Promise<Store> {
  const store = memoryStore();
  const coordinator = coordinatorOf(store);
  for (;;) {
    const step = await coordinator.advance();
    if ((await store.read(keys.close(1))) !== undefined) return store;
    if (step.state !== "waiting") continue;
    await hostile(store);
    for (const client of names.slice(0, 3)) await participantOf(store, client).act();
    // Where the hostile client wrote nothing that is asked for, it does as the others.
    if (step.clients.includes("dee")) await participantOf(store, "dee").act();
  }
}

describe("a cell of a hostile client", () => {
  const update = (value: unknown) => async (store: Store) => {
    if ((await store.read(keys.opening(1))) !== undefined) await store.create(keys.update(1, "dee"), encodeJson(value));
  };
  const figures = { metrics: {}, steps: 1, examples: 1, supervisedTokens: 1, bytesDown: 0, bytesUp: 0, seconds: 0 };

  it.each([
    ["names a blob that is not there", { loss: 1 }, /^Blob 0+ is not in the store\.$/],
    ["has a loss that is no number", { loss: null }, /^its training loss is NaN$/],
    ["has a count below zero", { loss: 1, count: -1 }, /^its message is malformed: count is -1/],
  ])("that %s refuses that client, and the round goes on", async (_what, changes, reason) => {
    const store = await play(async (place) => {
      const opened = await place.read(keys.opening(1));
      if (opened === undefined) return;
      const { adapter } = JSON.parse(new TextDecoder().decode(opened)) as { adapter: string };
      const message = { client: "dee", base: adapter, update: "0".repeat(64), count: 1, ...figures, ...changes };
      await update(message)(place);
    });
    const close = (await readMessage(store, keys.close(1), roundClose))!;
    expect(close.accepted.map(({ client }) => client)).toEqual(["ann", "bob", "cy"]);
    expect(close.refused).toEqual([{ client: "dee", refused: expect.stringMatching(reason) as string }]);
  });

  it("that gives a long reason with control characters is cut to a line", async () => {
    const store = await play(update({ client: "dee", refused: `\u001B[31mno\n${"x".repeat(1e6)}` }));
    const { refused } = (await readMessage(store, keys.close(1), roundClose))!;
    expect(refused[0]!.refused).toMatch(/^\[31mno x{290,}…$/);
    expect(refused[0]!.refused.length).toBeLessThanOrEqual(301);
  });

  const score = { records: 1, supervisedTokens: 1, loss: 99, count: 1e12, seconds: 0 };
  it("that withholds scores in another's name, or with a long reason, is cut to its own in a line", async () => {
    const long = `why\n${"x".repeat(1e5)}`;
    const withheld = [
      { set: "ann", reason: "no" },
      { set: "dee", client: "dee", reason: "no" },
      { set: "dee", reason: long },
    ];
    const store = await play(async (place) => {
      await place.create(keys.clientScores(0, "dee"), encodeJson({ client: "dee", scores: [], withheld }));
    });
    const evaluation = (await readEvaluation(store, 0))!;
    expect(evaluation.scores.map(({ set }) => set)).toEqual(["ann", "bob", "cy", "common"]);
    expect(evaluation.withheld).toEqual([{ set: "dee", reason: `why ${"x".repeat(296)}…` }]);
  });

  it.each([
    ["in another's name", { client: "dee", scores: ["common", "ann"].map((set) => ({ set, ...score })) }],
    ["of an adapter that clients do not have", { client: "dee", scores: [{ set: "dee", client: "dee", ...score }] }],
    ["that cannot be read", { client: "dee", scores: "none" }],
    [
      "of benchmarks",
      { client: "dee", scores: [], benchmarks: [{ benchmark: "gsm8k", questions: 1, metrics: {}, seconds: 0 }] },
    ],
  ])("with scores %s gives none", async (_what, answer) => {
    const store = await play(async (place) => {
      await place.create(keys.clientScores(0, "dee"), encodeJson(answer));
    });
    const evaluation = (await readEvaluation(store, 0))!;
    expect(evaluation.scores.map(({ set, loss }) => [set, loss])).toEqual([
      ["ann", 0.25],
      ["bob", 0.25],
      ["cy", 0.25],
      ["common", 0.5],
    ]);
    expect(evaluation.benchmarks).toBeUndefined();
  });
});

it.each([
  [{ client: "ann", records: -5 }, "records is -5, expected a whole number"],
  [{ client: "bob", records: 1 }, "it names another client"],
  [{ client: "ann", records: 1, protocol: 99 }, "it speaks protocol 99, not 1"],
  [{ client: "ann", records: 0 }, "it has no records to train on"],
])("a client that joins with %j is told why, and the others begin without it", async (changes, why) => {
  const store = memoryStore();
  const declined: Declined[] = [];
  const message = { protocol: PROTOCOL, heldOut: 0, data: "", ...changes };
  await store.create(keys.member("ann"), encodeJson(message));
  const gathering = gatherRoster(store, ["ann", "bob"], { onDeclined: (each) => declined.push(each) });
  const bob = { protocol: PROTOCOL, client: "bob", records: 2, heldOut: 0, data: "" };
  await store.create(keys.member("bob"), encodeJson(bob));
  expect(await gathering).toEqual([bob]);
  expect(declined).toEqual([{ client: "ann", reason: `its message to join cannot be used: ${why}` }]);
  const alone = memoryStore();
  await alone.create(keys.member("ann"), encodeJson(message));
  await expect(gatherRoster(alone, ["ann"])).rejects.toThrow(
    `The run has 0 members and needs 1; the others declined (ann: its message to join cannot be used: ${why}).`,
  );
});

it("a client that is put out while others are awaited is not awaited, joined or not", async () => {
  const store = memoryStore();
  const declined: Declined[] = [];
  let putOut: readonly string[] = [];
  const gathering = gatherRoster(store, ["ann", "bob", "cy"], {
    onDeclined: (each) => declined.push(each),
    revoked: () => new Set(putOut),
  });
  await participantOf(store, "ann").join({ protocol: PROTOCOL, records: 1, heldOut: 0, data: "" });
  putOut = ["ann", "bob"];
  await participantOf(store, "cy").join({ protocol: PROTOCOL, records: 1, heldOut: 0, data: "" });
  expect((await gathering).map(({ client }) => client)).toEqual(["cy"]);
  expect(declined.map(({ client, reason }) => [client, reason])).toEqual(
    ["ann", "bob"].map((client) => [client, "it is no member of the federation any more"]),
  );
});

it("a run that is gone from the exchange ends both halves", async () => {
  const store = memoryStore();
  const coordinator = coordinatorOf(store);
  const participant = participantOf(store, "ann");
  await coordinator.advance();
  await coordinator.advance();
  expect(await participant.act()).toBe("worked");
  const gone: Store = memoryStore();
  Object.assign(store, gone);
  await expect(coordinator.advance()).rejects.toThrow("The run is gone from the exchange");
  await expect(participant.act()).rejects.toThrow("The run is gone from the exchange");
});

describe("where cells are signed", () => {
  const federation = newIdentity();
  const keyOf = new Map(names.map((name) => [name, newIdentity()]));
  const as = (store: Store, identity: Identity): Store =>
    signedStore(store, {
      federation: "id",
      run: "run",
      identity,
      ownerOf: (key) => keyOf.get(writerSegment(key) ?? "")?.publicKey ?? federation.publicKey,
    });

  it.each([
    ["unsigned", (store: Store) => store],
    ["signed by another member", (store: Store) => as(store, keyOf.get("ann")!)],
  ])("the run goes on without %s cells of a member", async (_what, hostile) => {
    const store = memoryStore();
    const coordinator = coordinatorOf(as(store, federation));
    const forge = async (key: string, value: object): Promise<void> => {
      // The writer gets the cell back and refuses it itself.
      await hostile(store)
        .create(key, encodeJson(value))
        .catch(() => undefined);
    };
    for (;;) {
      const step = await coordinator.advance();
      if (step.state === "over") break;
      if (step.state !== "waiting") continue;
      for (let round = 0; round <= 2; round++) {
        await forge(keys.clientScores(round, "dee"), { client: "dee", scores: [] });
        await forge(keys.update(round, "dee"), { client: "dee", refused: "no" });
      }
      // A coordinator that starts again meets the same cells.
      await eventsThatHold(as(store, federation));
      for (const client of names.slice(0, 3)) await participantOf(as(store, keyOf.get(client)!), client).act();
    }
    for (const round of [1, 2]) {
      const close = (await readMessage(as(store, federation), keys.close(round), roundClose))!;
      expect(close.accepted.map(({ client }) => client)).toEqual(["ann", "bob", "cy"]);
      expect(close.refused).toEqual([
        {
          client: "dee",
          refused: expect.stringMatching(/^its message is malformed: round-\d+\/update\/dee is/) as string,
        },
      ]);
    }
    const evaluation = (await readEvaluation(as(store, federation), 1))!;
    expect(evaluation.scores.map(({ set }) => set)).not.toContain("dee");
  });

  it("a forged decline and a forged joining are reasons in a sentence", async () => {
    const store = memoryStore();
    await store.create(keys.decline("dee"), encodeJson({ client: "dee", reason: "mine" }));
    expect(await readDeclined(as(store, federation), ["dee"])).toEqual([
      { client: "dee", reason: "its message is malformed: decline/dee is not a signed message" },
    ]);
    await store.create(keys.member("dee"), encodeJson(members.find(({ client }) => client === "dee")));
    await expect(gatherRoster(as(store, federation), ["dee"])).rejects.toThrow(
      "dee: its message to join cannot be used: member/dee is not a signed message",
    );
  });

  it("a participant refuses the cells and the head of another coordinator in a sentence", async () => {
    const store = memoryStore();
    const own = as(store, keyOf.get("ann")!);
    const manifest = { protocol: PROTOCOL, algorithm: "fedavg", clients: names, settings: {} };
    await store.create(keys.manifest, encodeJson(manifest));
    await store.setHead(0, encodeJson({}));
    for (const refused of [awaitManifest(own), participantOf(own, "ann").act()]) {
      await expect(refused).rejects.toMatchObject({
        kind: "storage",
        message: expect.stringMatching(
          /^The cell (manifest|head) of the run is damaged: \1 is not a signed message\.$/,
        ) as string,
      });
    }
  });
});
