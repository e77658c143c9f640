import { jetstreamManager, type JetStreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hostStore } from "../src/net/host-store.ts";
import { uplinkRun, uplinkBlobs } from "../src/net/layout.ts";
import { takeLead } from "../src/net/lead.ts";
import { siteStore } from "../src/net/site-store.ts";
import { blobParts, ensureFederationStreams, ensureUplink, uplinkBytes } from "../src/net/uplinks.ts";
import { STORE_CONFORMANCE } from "../src/store/conformance.ts";
import { natsFederation, type TestFederation } from "./support/nats-federation.ts";
import { natsProgram } from "./support/nats-server.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

describe.runIf(natsProgram !== undefined)("stores of accounts (skipped where there is no nats-server)", () => {
  let federation: TestFederation;
  let connection: NatsConnection;
  let manager: JetStreamManager;
  let runs = 0;

  beforeAll(async () => {
    federation = await natsFederation();
    connection = await federation.coordinator();
    manager = await jetstreamManager(connection);
    await ensureFederationStreams(manager);
  });
  afterAll(() => federation?.remove());

  for (const { name, run } of STORE_CONFORMANCE) {
    it(name, async () => {
      const unique = `run-${++runs}`;
      await run(() => hostStore({ connection, run: unique, members: () => new Map() }));
    });
  }

  it("the host reads what a member wrote, and the member what the host wrote", async () => {
    const clinic = await federation.member("clinic");
    await ensureUplink(manager, clinic.account, { maxBytes: 64 * 1024 * 1024 });
    const members = new Map([["clinic", clinic.account]]);
    const host = await hostStore({ connection, run: "joint", members: () => members });
    const owns = (key: string): boolean => key.endsWith("/clinic");
    const site = await siteStore({ connection: clinic.connection, run: "joint", owns });
    const watch = await host.watch("");
    expect(await host.list("")).toEqual([]);
    const big = Uint8Array.from({ length: 3_000_000 }, (_, i) => i % 251);
    const hash = await site.putBlob(big);
    expect(await site.create("member/clinic", text("first"))).toEqual(text("first"));
    expect(await site.create("member/clinic", text("second"))).toEqual(text("first"));
    await watch.next({ milliseconds: 5000 });
    expect(await host.list("")).toEqual(["member/clinic"]);
    expect(await host.read("member/clinic")).toEqual(text("first"));
    expect(Buffer.from(await host.blob(hash, "clinic")).equals(big)).toBe(true);
    await expect(host.blob(hash)).rejects.toThrow("is not in the store");
    await host.create("run", text("task"));
    await host.setHead(0, text("head"));
    expect(await site.read("run")).toEqual(text("task"));
    expect((await site.head())?.bytes).toEqual(text("head"));
    expect(Buffer.from(await site.blob(await host.putBlob(big))).equals(big)).toBe(true);
  });

  it("content travels as it is: no more bytes than it has, and 1%", async () => {
    const wharf = await federation.member("wharf");
    await ensureUplink(manager, wharf.account, { maxBytes: 64 * 1024 * 1024 });
    const reader = await federation.coordinator();
    const host = await hostStore({
      connection: reader,
      run: "bytes",
      members: () => new Map([["wharf", wharf.account]]),
    });
    const site = await siteStore({ connection: wharf.connection, run: "bytes", owns: () => true });
    const bytes = new Uint8Array(8 * 1024 * 1024).fill(7);
    const moved = async (connection: NatsConnection, work: () => Promise<unknown>): Promise<number> => {
      const before = connection.stats();
      await work();
      const after = connection.stats();
      return (after.inBytes + after.outBytes - before.inBytes - before.outBytes) / bytes.length;
    };
    let [up, down] = ["", ""];
    const factors = [
      await moved(wharf.connection, async () => (up = await site.putBlob(bytes))),
      await moved(reader, () => host.blob(up, "wharf")),
      await moved(reader, async () => (down = await host.putBlob(bytes))),
      await moved(wharf.connection, () => site.blob(down)),
    ];
    for (const factor of factors) {
      expect(factor).toBeGreaterThanOrEqual(1);
      expect(factor).toBeLessThan(1.01);
    }
  });

  it("an upload that was cut sends only the chunks that are missing", async () => {
    const quay = await federation.member("quay");
    await ensureUplink(manager, quay.account, { maxBytes: 64 * 1024 * 1024 });
    const bytes = Uint8Array.from({ length: 16 * 1024 * 1024 }, (_, i) => (i >> 9) % 251);
    const stop = new AbortController();
    const cut = await siteStore({
      connection: quay.connection,
      run: "cut",
      owns: () => true,
      signal: stop.signal,
      onTransfer: ({ done, total }) => done > total / 2 && stop.abort(new Error("the site was killed")),
    });
    await expect(cut.putBlob(bytes)).rejects.toThrow("the site was killed");
    await quay.connection.flush();
    const have = (hash: string): Promise<string[]> =>
      blobParts(manager, uplinkBlobs(quay.account), uplinkRun(quay.account, "cut"), hash);
    const there = await uplinkBytes(manager, quay.account);
    expect(there).toBeGreaterThan(bytes.length / 2);
    const again = await siteStore({ connection: quay.connection, run: "cut", owns: () => true, have });
    const before = quay.connection.stats().outBytes;
    const hash = await again.putBlob(bytes);
    const sent = quay.connection.stats().outBytes - before;
    expect(sent).toBeLessThan((bytes.length - there) * 1.01 + 10_000);
    const host = await hostStore({ connection, run: "cut", members: () => new Map([["quay", quay.account]]) });
    expect(Buffer.from(await host.blob(hash, "quay")).equals(bytes)).toBe(true);
    const whole = quay.connection.stats().outBytes;
    await again.putBlob(bytes);
    expect(quay.connection.stats().outBytes - whole).toBeLessThan(10_000);
  });

  it("a blob that is asked for and whose stream is gone is missing", async () => {
    const host = await hostStore({ connection, run: "gone", members: () => new Map([["pier", "NOBODY"]]) });
    await expect(host.blob("a".repeat(64), "pier")).rejects.toThrow(/stream not found/);
    // A member that is joining has no stream yet, and the others go on.
    expect(await host.list("")).toEqual([]);
  });

  it("an older coordinator ends, and changes nothing", async () => {
    const members = () => new Map<string, string>();
    const old = await hostStore({ connection, run: "lead", members, lead: await takeLead(connection, "lead", "one") });
    await old.setHead(0, text("head"));
    const before = (await old.head())!;
    const lead = await takeLead(connection, "lead", "two");
    expect(lead.epoch).toBe(2);
    await expect(old.setHead(before.revision, text("late"))).rejects.toThrow(
      /Another coordinator \(two, since .*\) has taken over the run lead/,
    );
    await expect(old.create("round-0001/close", text("late"))).rejects.toThrow("Another coordinator");
    const now = await hostStore({ connection, run: "lead", members, lead });
    // Without the check, a replacement under way fails at the revision.
    const unchecked = await hostStore({ connection, run: "lead", members });
    expect(await unchecked.setHead(before.revision, text("late"))).toBe(false);
    expect((await now.head())?.bytes).toEqual(text("head"));
    expect(await now.read("round-0001/close")).toBeUndefined();
  });

  it("an upload and a download go on while the server is killed three times", async () => {
    const ward = await federation.member("ward");
    await ensureUplink(manager, ward.account, { maxBytes: 64 * 1024 * 1024 });
    const host = await hostStore({ connection, run: "killed", members: () => new Map([["ward", ward.account]]) });
    const site = await siteStore({ connection: ward.connection, run: "killed", owns: () => true });
    const bytes = new Uint8Array(24 * 1024 * 1024);
    for (let i = 0; i < bytes.length; i += 1013) bytes[i] = i % 251;
    const uploading = site.putBlob(bytes);
    for (let kill = 0; kill < 3; kill++) {
      await new Promise((resolve) => setTimeout(resolve, 30));
      await federation.kill();
      await federation.start();
    }
    const hash = await uploading;
    expect(Buffer.from(await host.blob(hash, "ward")).equals(bytes)).toBe(true);
  }, 60_000);
});
