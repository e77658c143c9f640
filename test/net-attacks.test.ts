import { jetstreamManager, type JetStreamManager } from "@nats-io/jetstream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Identity, newIdentity } from "../src/identity/keys.ts";
import { signedStore } from "../src/identity/signed-store.ts";
import { CHUNK_BYTES } from "../src/net/layout.ts";
import { hostStore } from "../src/net/host-store.ts";
import { callRpc, serveRpc } from "../src/net/rpc.ts";
import { siteStore } from "../src/net/site-store.ts";
import {
  ensureFederationStreams,
  ensureUplink,
  messagesNeeded,
  purgeRun,
  sweepUplink,
  uplinkBytes,
} from "../src/net/uplinks.ts";
import type { MemberStore, Store } from "../src/store/store.ts";
import { natsFederation, type TestFederation, type TestMember } from "./support/nats-federation.ts";
import { natsProgram } from "./support/nats-server.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const MIB = 1024 * 1024;
const ROUNDS = 50;
/** Cells that the member has room for that floods. */
const CELLS = messagesNeeded(ROUNDS, MIB).cells;

describe.runIf(natsProgram !== undefined)("a hostile member (skipped where there is no nats-server)", () => {
  let federation: TestFederation;
  let [rogue, other, flooder]: TestMember[] = [];
  const full: string[] = [];
  let manager: JetStreamManager;
  let host: Store;
  let next: Store;
  let site: MemberStore;

  beforeAll(async () => {
    federation = await natsFederation();
    const connection = await federation.coordinator();
    manager = await jetstreamManager(connection);
    await ensureFederationStreams(manager);
    [rogue, other] = [await federation.member("rogue"), await federation.member("other")];
    flooder = await federation.member("flooder");
    await ensureUplink(manager, flooder.account, {
      maxBytes: 4 * MIB,
      messages: { run: "r", ...messagesNeeded(ROUNDS, MIB) },
    });
    for (const { account } of [rogue, other]) await ensureUplink(manager, account, { maxBytes: 4 * MIB });
    const members = new Map([
      ["rogue", rogue.account],
      ["other", other.account],
      ["flooder", flooder.account],
    ]);
    host = await hostStore({ connection, run: "r", members: () => members, onFull: (client) => full.push(client) });
    next = await hostStore({ connection, run: "next", members: () => members });
    site = await siteStore({ connection: other.connection, run: "r", owns: (key) => key.endsWith("/other") });
    serveRpc(connection, { who: async (account) => text(account), bad: () => Promise.reject(new Error("secret")) });
    await connection.flush();
  });
  afterAll(() => federation?.remove());

  const put = async (hash: string, part: string, bytes: Uint8Array): Promise<unknown> =>
    (await rogue!.connection.request(`up.r.r.b.${hash}.${part}`, bytes, { timeout: 2000 })).json();

  it("cannot write the cells of others", async () => {
    await rogue!.connection.request("up.r.r.c.member.other", text("false"), { timeout: 2000 });
    expect(await host.read("member/other")).toBeUndefined();
    expect(await host.list("")).toEqual([]);
  });

  it("cannot make the server answer into another's stream", async () => {
    await host.create("run", text("task"));
    rogue!.connection.publish("up.r.r.c.x", text("x"), { reply: "fl.all.r.r.c.injected" });
    rogue!.connection.publish("get.cells.r.r.c.run", text(""), { reply: `fl.u.${other!.account}.r.r.c.member.other` });
    await rogue!.connection.flush();
    await rogue!.connection.request("up.r.r.c.y", text("y"), { timeout: 2000 });
    expect(await host.read("injected")).toBeUndefined();
    expect(await host.read("member/other")).toBeUndefined();
  });

  it("cannot lie about a blob", async () => {
    const hash = "a".repeat(64);
    await put(hash, "0", text("wrong"));
    await put(hash, "size", text("5"));
    await expect(host.blob(hash, "rogue")).rejects.toThrow("does not match its sha256");
    for (const [i, size] of ["999999999999999", "-1", "6", "4", "1e3"].entries()) {
      const lying = String(i).repeat(64);
      await put(lying, "0", text("wrong"));
      await put(lying, "size", text(size));
      await expect(host.blob(lying, "rogue")).rejects.toThrow("is damaged");
    }
    expect(await sweepUplink(manager, rogue!.account, "r", new Set([hash]))).toEqual(
      ["0", "1", "2", "3", "4"].map((digit) => digit.repeat(64)),
    );
  });

  it("that sends too much fills its own stream only", async () => {
    expect(await put("b".repeat(64), "0", new Uint8Array(2 * MIB))).toMatchObject({ error: { err_code: 10054 } });
    const mine = await siteStore({ connection: rogue!.connection, run: "r", owns: () => true });
    await expect(mine.putBlob(new Uint8Array(8 * MIB).fill(7))).rejects.toThrow("maximum bytes exceeded");
    expect(await uplinkBytes(manager, rogue!.account)).toBeLessThanOrEqual(4 * MIB);
    const hash = await site.putBlob(new Uint8Array(2 * MIB));
    expect((await host.blob(hash, "other")).length).toBe(2 * MIB);
  });

  it("that floods cells fills its own stream, which the coordinator hears of once, and the others are served", async () => {
    const { connection } = flooder!;
    for (let i = 0; i < 2 * CELLS; i++) connection.publish(`up.r.r.c.round-${i}.update.flooder`, text("x"));
    await connection.flush();
    const last = await connection.request("up.r.r.c.last.flooder", text("x"), { timeout: 10_000 });
    expect(last.json()).toMatchObject({ error: { description: "maximum messages exceeded" } });
    await site.create("round-0001/update/other", text("mine"));
    const listed = await host.list("round-");
    expect(listed.filter((key) => key.endsWith("/flooder")).length).toBeLessThanOrEqual(CELLS);
    expect(listed).toContain("round-0001/update/other");
    expect(await host.read("round-0001/update/other")).toEqual(text("mine"));
    await host.list("");
    expect(full).toEqual(["flooder"]);
    // A further run has its own room, and nothing that is stored goes.
    await ensureUplink(manager, flooder!.account, {
      maxBytes: 4 * MIB,
      messages: { run: "next", cells: 10, parts: 10 },
    });
    const answers: boolean[] = [];
    for (let i = 0; i < 11; i++) {
      const answer = await connection.request(`up.r.next.c.round-${i}.update.flooder`, text("x"), { timeout: 2000 });
      answers.push(answer.json<{ error?: object }>().error === undefined);
    }
    expect(answers).toEqual([...Array.from({ length: 10 }, () => true), false]);
    expect((await host.list("round-")).filter((key) => key.endsWith("/flooder"))).toHaveLength(CELLS);
    for (const run of ["r", "next"]) await purgeRun(manager, run, [flooder!.account]);
  });

  it("has room for all that an honest member stores, of which the coordinator deletes no blob", () => {
    for (const [rounds, bytes] of [
      [1, 0],
      [24, 2.6 * MIB],
      [1000, 600 * MIB],
    ] as const) {
      const { cells, parts } = messagesNeeded(rounds, bytes);
      expect(cells).toBeGreaterThan(2 * (rounds + 1) + 3);
      expect(parts).toBeGreaterThan(2 * rounds * (Math.ceil(bytes / CHUNK_BYTES) + 1));
      expect(cells).toBeLessThan(10 * rounds + 100);
    }
  });

  it("that opens further connections gets three, and what one of them wrote the others cannot change", async () => {
    const second = await rogue!.again();
    const third = await rogue!.again();
    await expect(rogue!.again()).rejects.toThrow();
    expect(federation.log()).toContain("maximum account active connections exceeded");
    await second.request("up.r.r.c.round-0009.update.rogue", text("first"), { timeout: 2000 });
    const refused = await third.request("up.r.r.c.round-0009.update.rogue", text("second"), { timeout: 2000 });
    expect(refused.json()).toMatchObject({ error: { description: "maximum messages per subject exceeded" } });
    expect(await host.read("round-0009/update/rogue")).toEqual(text("first"));
    for (const connection of [second, third]) await connection.close();
    await site.create("round-0009/update/other", text("there"));
    expect(await host.read("round-0009/update/other")).toEqual(text("there"));
  });

  it("cannot send an update again in another round, in another run, or under another name", async () => {
    const keys = new Map(["rogue", "other"].map((client) => [client, newIdentity()]));
    const coordinator = newIdentity();
    const as = <S extends MemberStore>(store: S, run: string, identity: Identity): S =>
      signedStore(store, {
        federation: "F",
        run,
        identity,
        ownerOf: (key) => keys.get(key.slice(key.lastIndexOf("/") + 1))?.publicKey,
      });
    const own = await siteStore({ connection: rogue!.connection, run: "r", owns: (key) => key.endsWith("/rogue") });
    const key = "round-0001/update/rogue";
    await as(own, "r", keys.get("rogue")!).create(key, text("{}"));
    expect(await as(host, "r", coordinator).read(key)).toEqual(text("{}"));
    const sent = (await host.read(key))!;
    for (const subject of [
      "r.c.round-0002.update.rogue",
      "next.c.round-0001.update.rogue",
      "r.c.round-0001.update.other",
    ]) {
      await rogue!.connection.request(`up.r.${subject}`, sent, { timeout: 2000 });
    }
    await expect(as(host, "r", coordinator).read("round-0002/update/rogue")).rejects.toThrow("has a wrong signature");
    await expect(as(next, "next", coordinator).read(key)).rejects.toThrow("has a wrong signature");
    // It lies under the account of its writer, where nobody looks for another's.
    expect(await host.read("round-0001/update/other")).not.toEqual(sent);
  });

  it("is named by the server in a request, and learns nothing of a failure", async () => {
    const answer = await callRpc(rogue!.connection, "who", text(""), { timeout: 2000 });
    expect(new TextDecoder().decode(answer)).toBe(rogue!.account);
    expect(await callRpc(rogue!.connection, "bad", text(""), { timeout: 2000 })).toBeUndefined();
  });

  it("leaves nothing behind once its run is purged, and rounds that are forgotten take no room", async () => {
    for (const run of ["r", "next"]) await purgeRun(manager, run, [rogue!.account, other!.account]);
    expect(await uplinkBytes(manager, rogue!.account)).toBe(0);
    for (let round = 0; round < 50; round++) {
      const hash = await site.putBlob(new Uint8Array(300_000).fill(round));
      await host.forget([hash], "other");
    }
    expect(await uplinkBytes(manager, other!.account)).toBe(0);
  });
});
