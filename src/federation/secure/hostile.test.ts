import { describe, expect, it } from "vitest";
import { initialAdapter, QuadraticTrainer, quiet } from "../../../test/support/federation.ts";
import { closeOf, playSecure, RULES } from "../../../test/support/secure.ts";
import { algorithmOf } from "../../algorithms/registry.ts";
import { newIdentity } from "../../identity/keys.ts";
import { signedStore } from "../../identity/signed-store.ts";
import { toBase64 } from "../../secagg/bytes.ts";
import type { SecureRules } from "../../secagg/rules.ts";
import { encodeJson } from "../../store/codec.ts";
import { memoryStore } from "../../store/memory-store.ts";
import { type Store, writerSegment } from "../../store/store.ts";
import { clientMemory } from "../client-memory.ts";
import type { LocalTrainer } from "../local-trainer.ts";
import { Participant } from "../participant.ts";
import { keys } from "../protocol/keys.ts";

const names = ["a", "b", "c", "d", "e"];

async function cell(store: Store, key: string): Promise<Record<string, unknown>> {
  return JSON.parse(new TextDecoder().decode(await store.read(key))) as Record<string, unknown>;
}

describe("a client that breaks the protocol", () => {
  it.each([
    [
      "with one key for both uses",
      "its two keys are one",
      (mine: object) => ({ ...mine, channel: "2".repeat(64), mask: "2".repeat(64) }),
    ],
    [
      "with a key that opens to all",
      "its key is no point that secrets can be agreed with",
      (mine: object) => ({ ...mine, mask: "0".repeat(64) }),
    ],
    [
      "with keys for another opening",
      "its keys are for another opening of the round",
      (mine: object) => ({ ...mine, opening: "1".repeat(64) }),
    ],
    [
      "with a malformed message",
      "its message is malformed: channel is",
      (mine: object) => ({ ...mine, channel: "key" }),
    ],
  ])("%s is left out, and the round goes on", async (_what, reason, forge) => {
    const { close } = await playSecure({
      names,
      instead: async (client, store) => {
        if (client !== "e" || (await store.read(keys.clientKeys(1, "e"))) !== undefined) return false;
        const other = await cell(store, keys.clientKeys(1, "a"));
        const mine = { ...other, client: "e", mask: other["channel"], channel: "2".repeat(64) };
        await store.create(keys.clientKeys(1, "e"), encodeJson(forge(mine)));
        return true;
      },
    });
    expect(close.accepted.map(({ client }) => client)).toEqual(["a", "b", "c", "d"]);
    expect(close.refused).toEqual([{ client: "e", refused: expect.stringContaining(reason) as string }]);
  });

  it("with one key twice in a round is refused by the name of its owner", async () => {
    const { close } = await playSecure({
      names,
      instead: async (client, store) => {
        if (client !== "e" || (await store.read(keys.clientKeys(1, "e"))) !== undefined) return false;
        await store.create(
          keys.clientKeys(1, "e"),
          encodeJson({ ...(await cell(store, keys.clientKeys(1, "a"))), client: "e" }),
        );
        return true;
      },
    });
    expect(close.refused).toEqual([{ client: "e", refused: "it has a key of a" }]);
  });

  it("that gives forged shares is named, and the others' shares are enough", async () => {
    const lostIn = { b: "update" } as const;
    const { close, store } = await playSecure({
      names,
      lostIn,
      instead: async (client, place) => {
        if (client !== "a" || (await place.read(keys.survivors(1))) === undefined) return false;
        const forged = Object.fromEntries(
          ["a", "c", "d", "e"].map((name) => [name, toBase64(new Uint8Array(32).fill(7))]),
        );
        const message = { round: 1, client: "a", self: forged, mask: { b: toBase64(new Uint8Array(32)) } };
        await place.create(keys.unmasking(1, "a"), encodeJson(message));
        return true;
      },
    });
    expect(close.failed).toBeUndefined();
    expect(close.accepted.map(({ client }) => client)).toEqual(["a", "c", "d", "e"]);
    const honest = await playSecure({ names, lostIn });
    expect(close.accepted.length).toBe(honest.close.accepted.length);
    expect(close.refused.map(({ client }) => client)).toEqual(["a"]);
    // A second list of shares changes nothing: cells are written once.
    const first = await store.read(keys.unmasking(1, "a"));
    expect(await store.create(keys.unmasking(1, "a"), encodeJson({}))).toEqual(first);
  });

  it.each(["____".repeat(10) + "___=", "AAAA", "=".repeat(44), "é".repeat(44)])(
    "that gives texts which are no shares stops nobody: %s",
    async (share) => {
      const lostIn = { b: "update" } as const;
      const { close } = await playSecure({
        names,
        lostIn,
        instead: async (client, place) => {
          if (client !== "a" || (await place.read(keys.survivors(1))) === undefined) return false;
          const self = Object.fromEntries(["a", "c", "d", "e"].map((name) => [name, share]));
          await place.create(keys.unmasking(1, "a"), encodeJson({ round: 1, client: "a", self, mask: { b: share } }));
          return true;
        },
      });
      expect(close.failed).toBeUndefined();
      expect(close.accepted.map(({ client }) => client)).toEqual(["a", "c", "d", "e"]);
    },
  );

  it("that gives shares of both secrets opens nothing more, and one that shares with some only is left out", async () => {
    const { close } = await playSecure({
      names,
      instead: async (client, store) => {
        if (client !== "d" || (await store.read(keys.keyList(1))) === undefined) return false;
        if ((await store.read(keys.sharers(1))) !== undefined) return false;
        await store.create(keys.clientShares(1, "d"), encodeJson({ round: 1, client: "d", envelopes: { a: "AA==" } }));
        return true;
      },
    });
    expect(close.accepted.map(({ client }) => client)).toEqual(["a", "b", "c", "e"]);
    expect(close.refused).toEqual([{ client: "d", refused: "it has no share for one of its neighbours" }]);
  });

  it.each([
    ["another length", 3, "its masked vector has 3 bytes, expected 52"],
    ["wrong masks", 52, undefined],
  ])("whose vector has %s", async (_what, length, reason) => {
    const { close, outcome } = await playSecure({
      names,
      instead: async (client, store) => {
        if (client !== "c" || (await store.read(keys.sharers(1))) === undefined) return false;
        if ((await store.read(keys.survivors(1))) !== undefined) return false;
        const update = await store.putBlob(new Uint8Array(length).fill(9));
        const { adapter } = await cell(store, keys.opening(1));
        const message = { client: "c", base: adapter, update, bytesDown: 0, bytesUp: 0 };
        await store.create(keys.update(1, "c"), encodeJson(message));
        return true;
      },
    });
    if (reason !== undefined) {
      expect(close.refused).toEqual([{ client: "c", refused: reason }]);
      expect(close.accepted).toHaveLength(4);
    } else {
      expect(close.failed).toContain("the sum does not unmask");
      expect([...outcome.adapter]).toEqual([...initialAdapter]);
    }
  });

  it("that trained to another result after a restart sends no second vector", async () => {
    const own = memoryStore();
    let pull = 1;
    const trainer: LocalTrainer = { train: (task) => new QuadraticTrainer({ b: pull++ }).train(task) };
    const killed = new Error("killed");
    let lives = 0;
    const play = (store: Store) =>
      playSecure({
        names,
        store,
        own,
        participant: (client) => (client === "b" ? { trainer, store: dyingAt(store, () => lives++ === 0) } : {}),
      });
    const dyingAt = (store: Store, dies: () => boolean): Store => ({
      ...store,
      async create(key, bytes) {
        if (key === keys.update(1, "b") && dies()) throw killed;
        return store.create(key, bytes);
      },
    });
    const store = memoryStore();
    await expect(play(store)).rejects.toThrow("killed");
    const { close } = await play(store);
    expect(close.accepted.map(({ client }) => client)).toEqual(["a", "c", "d", "e"]);
    expect(close.refused).toEqual([
      { client: "b", refused: "training gave another result than before the restart, and the masks were used" },
    ]);
  });
});

describe("a coordinator that breaks the protocol", () => {
  /** A round in which `a` has not answered, told to it again with other cells. */
  async function told(changes: Readonly<Record<string, (cell: Record<string, unknown>) => object>>, rules = RULES) {
    const own = memoryStore();
    const { store } = await playSecure({ names, own, rules, lostIn: { a: "unmask" } });
    const forked = await forkOf(store, changes);
    await participantOf(forked, own, rules).act();
    return { answer: await forked.read(keys.unmasking(1, "a")), forked, own, store };
  }

  /** A copy of an exchange after its first round was opened and before it was closed. */
  async function forkOf(store: Store, changes: Readonly<Record<string, (cell: Record<string, unknown>) => object>>) {
    const forked = memoryStore();
    const head = JSON.parse(new TextDecoder().decode((await store.head())!.bytes)) as { round: number };
    const { adapter } = await cell(store, keys.opening(1));
    await forked.setHead(0, encodeJson({ ...head, round: 0, adapter }));
    for (const key of await store.list("")) {
      if (key === keys.close(1) || key === keys.unmasking(1, "a") || key.startsWith("round-0002")) continue;
      const change = changes[key];
      const bytes = change === undefined ? (await store.read(key))! : encodeJson(change(await cell(store, key)));
      await forked.create(key, bytes);
    }
    return forked;
  }

  const participantOf = (store: Store, own: Store, rules: SecureRules): Participant =>
    new Participant({
      store,
      client: "a",
      algorithm: algorithmOf("fedavg"),
      seed: 7,
      trainer: new QuadraticTrainer({ a: 1 }),
      memory: clientMemory(own, store),
      events: quiet,
      masking: { rules, own },
    });

  const refusalOf = (bytes: Uint8Array | undefined): string =>
    (JSON.parse(new TextDecoder().decode(bytes)) as { refused?: string }).refused ?? "none";
  const clients = (...list: string[]) => ({
    [keys.survivors(1)]: (survivors: object): object => ({ ...survivors, clients: list }),
  });

  it("gets an answer where it does not", async () => {
    const { answer } = await told({});
    expect(refusalOf(answer)).toBe("none");
    const { self, mask } = JSON.parse(new TextDecoder().decode(answer)) as { self: object; mask: object };
    expect([Object.keys(self).sort(), Object.keys(mask)]).toEqual([names, []]);
  });

  it.each([
    [
      "adds a client that shared nothing",
      clients(...names, "x"),
      "the list of survivors has clients that were not in the list before",
    ],
    ["names one twice", clients("a", "b", "c", "c"), "or one twice"],
    ["leaves too few", clients("a", "b"), "the round has 2 clients left, expected 3 or more"],
    [
      "gives other keys of the client",
      {
        [keys.keyList(1)]: (list: Record<string, unknown>) => ({
          ...list,
          members: (list["members"] as { keys: { client: string } }[]).filter(({ keys: { client } }) => client !== "e"),
        }),
      },
      "the coordinator gave two lists of keys for one round",
    ],
  ])("and %s is refused", async (_what, changes, sentence) => {
    expect(refusalOf((await told(changes)).answer)).toContain(sentence);
  });

  it("and leaves the client out gets no shares of it", async () => {
    const { answer } = await told(clients("b", "c", "d", "e"));
    expect(answer).toBeUndefined();
  });

  it("and asks again with other survivors is refused: the first list counts", async () => {
    const { store, own } = await told(clients("a", "b", "c", "d"));
    const again = await forkOf(store, clients("a", "b", "c", "e"));
    await participantOf(again, own, RULES).act();
    expect(refusalOf(await again.read(keys.unmasking(1, "a")))).toBe(
      "the coordinator gave two lists of survivors for one round",
    );
  });

  it("and opens nearly the same sum again from the same adapter is refused, until the clients differ by enough", async () => {
    const own = memoryStore();
    const store = memoryStore();
    // Round 1 fails after everybody has answered: one vector is wrong.
    const wrong = async (client: string, place: Store): Promise<boolean> => {
      if (client !== "c" || (await place.read(keys.sharers(1))) === undefined) return false;
      if ((await place.read(keys.update(1, "c"))) !== undefined) return false;
      const { adapter } = await cell(place, keys.opening(1));
      const update = await place.putBlob(new Uint8Array(52));
      await place.create(
        keys.update(1, "c"),
        encodeJson({ client: "c", base: adapter, update, bytesDown: 0, bytesUp: 0 }),
      );
      return true;
    };
    const refuseRound = (): string | undefined => "not now";
    await playSecure({ names, store, own, instead: wrong, rounds: 1 });
    await playSecure({
      names,
      store,
      own,
      rounds: 2,
      participant: (client) => (client === "e" ? { refuseRound } : {}),
    });
    const second = (await closeOf(store, 2))!;
    expect(second.failed).toContain("usable answers do not open the masks");
    expect(second.refused[0]!.refused).toContain("its clients differ by 1: the two sums would tell of 1 clients");
    // With the same clients the two sums tell of nobody.
    await playSecure({ names, store, own, rounds: 3 });
    expect((await closeOf(store, 3))!.accepted).toHaveLength(5);
  });

  it("and makes up a member is refused where cells are signed", async () => {
    const three = ["a", "b", "e"];
    const federation = { federation: "f", run: "r" };
    const identities = new Map([...three, "coordinator"].map((name) => [name, newIdentity()]));
    const store = memoryStore();
    const view = (who: string): Store =>
      signedStore(store, {
        ...federation,
        identity: identities.get(who)!,
        ownerOf: (key) => identities.get(writerSegment(key) ?? "coordinator")?.publicKey,
      });
    const { close } = await playSecure({
      names: three,
      store: view("coordinator"),
      rules: { ...RULES, active: true },
      participant: (client) => ({ store: view(client) }),
    });
    expect(close.accepted.map(({ client }) => client)).toEqual(three);
    const list = await cell(view("a"), keys.keyList(1));
    for (const { signed } of list["members"] as { signed: string }[]) expect(signed).toContain("signature");

    // The coordinator signs for a member: others see that the keys are not its own.
    const forging = memoryStore();
    const forger = (who: string): Store =>
      signedStore(forging, {
        ...federation,
        identity: identities.get(who)!,
        ownerOf: (key) => {
          const writer = writerSegment(key);
          return [writer === undefined ? "coordinator" : writer, ...(writer === "e" ? ["coordinator"] : [])].map(
            (name) => identities.get(name)!.publicKey,
          );
        },
      });
    const own = memoryStore();
    await playSecure({
      names: three,
      store: forger("coordinator"),
      own,
      rules: { ...RULES, active: true },
      participant: (client) => ({ store: forger(client) }),
    });
    const next = await playSecure({
      names: three,
      rounds: 2,
      own,
      store: forger("coordinator"),
      rules: { ...RULES, active: true },
      participant: (client) => ({ store: forger(client === "e" ? "coordinator" : client) }),
    });
    expect(next.outcome.head.round).toBe(2);
    const second = (await closeOf(forger("coordinator"), 2))!;
    expect(second.failed).toBeDefined();
    expect(second.refused.map(({ refused }) => refused)).toContain("another key than before signs for e");
  });
});
