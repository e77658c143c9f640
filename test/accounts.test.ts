import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { jetstreamManager, type JetStreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { encodeAccount, encodeUser } from "@nats-io/jwt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newIdentity } from "../src/identity/keys.ts";
import { connectAs, pushOver, type PushToken } from "../src/node/federation/accounts.ts";
import { connectNats } from "../src/node/federation/connect.ts";
import { LoginRefused } from "../src/node/federation/connection-errors.ts";
import { enrol, siteConnection } from "../src/node/federation/enrol.ts";
import { serveEnrolment } from "../src/node/federation/enrolment-service.ts";
import { type Federation, initFederation } from "../src/node/federation/federation-folder.ts";
import { inviteMember } from "../src/node/federation/invite.ts";
import { type NatsServer, startNatsServer } from "../src/node/federation/nats-server.ts";
import { refuseWithoutRoom } from "../src/node/federation/server-room.ts";
import { ensureUplink } from "../src/net/uplinks.ts";
import { natsProgram } from "./support/nats-server.ts";
import { freePort } from "../src/node/free-port.ts";

describe.runIf(natsProgram !== undefined)("accounts on a server (skipped where there is no nats-server)", () => {
  let root: string;
  let federation: Federation;
  let server: NatsServer;
  let system: NatsConnection;
  let coordinator: NatsConnection;
  let manager: JetStreamManager;
  let push: PushToken;
  /** Two members: their connections and accounts. */
  let [clinic, bank]: NatsConnection[] = [];
  let [clinicAccount, bankAccount] = ["", ""];

  const stored = async (stream: string, subject: string): Promise<string | undefined> =>
    (await manager.streams.getMessage(stream, { last_by_subj: subject }))?.string();
  const textOf = async (connection: NatsConnection, subject: string, text = ""): Promise<string> => {
    const message = await connection.request(subject, text, { timeout: 2000 });
    // A missing message is answered with a status in the headers.
    return message.headers?.code === 404 ? "404" : message.string();
  };
  const isRefused = (connection: NatsConnection, subject: string, text = ""): Promise<boolean> =>
    connection.request(subject, text, { timeout: 300 }).then(
      () => false,
      () => true,
    );

  beforeAll(async () => {
    root = mkdtempSync(path.join(tmpdir(), "openfedllm-accounts-"));
    federation = await initFederation(path.join(root, "federation"), { name: "Hospitals" });
    server = await startNatsServer(federation, { listener: { port: await freePort() } });
    const local = { servers: [server.address.url] };
    system = await connectAs(federation, "system", local);
    coordinator = await connectAs(federation, "coordinator", local);
    push = pushOver(system);
    manager = await jetstreamManager(coordinator);
    const once = { max_msgs_per_subject: 1, allow_direct: true };
    await manager.streams.add({ ...once, name: "FL_CELLS", subjects: ["fl.all.r.*.c.>"] });
    await manager.streams.add({ ...once, name: "FL_BLOBS", subjects: ["fl.all.r.*.b.>"] });
    await manager.streams.add({
      ...once,
      name: "FL_HEAD",
      subjects: ["fl.all.r.*.head", "fl.all.task", "fl.s.*.lead"],
    });
    serveEnrolment(coordinator, federation, {
      push,
      async prepare({ account }) {
        await manager.streams.add({
          ...once,
          name: `UP_${account}`,
          subjects: [`fl.u.${account}.>`],
          discard: "new" as never,
          discard_new_per_subject: true,
        });
        return {};
      },
    });
    await coordinator.flush();
    const member = async (client: string) => {
      const invitation = await inviteMember(federation, { client, ...local, hours: 1 });
      const site = await enrol(invitation, path.join(root, client), { software: "t" });
      return { connection: await connectNats(siteConnection(() => site)), account: site.record.account };
    };
    ({ connection: clinic, account: clinicAccount } = await member("clinic"));
    ({ connection: bank, account: bankAccount } = await member("bank"));
    for (const [subject, text] of [
      ["fl.all.r.joint.c.run", "cell"],
      ["fl.all.r.joint.b.hash.0", "chunk"],
      ["fl.all.r.joint.head", "head"],
      ["fl.s.joint.lead", "lead"],
    ] as const) {
      await coordinator.request(subject, text);
    }
  });

  afterAll(async () => {
    for (const connection of [clinic, bank, coordinator, system]) await connection?.close();
    await server?.stop();
    rmSync(root, { recursive: true, force: true });
  });

  test("a member writes its uplink and reads it back, and the coordinator finds it under the member's account", async () => {
    expect(JSON.parse(await textOf(clinic!, "up.r.joint.c.member.clinic", "mine"))).toMatchObject({
      stream: `UP_${clinicAccount}`,
      seq: 1,
    });
    expect(await stored(`UP_${clinicAccount}`, `fl.u.${clinicAccount}.r.joint.c.member.clinic`)).toBe("mine");
    expect(await textOf(clinic!, "get.own.r.joint.c.member.clinic")).toBe("mine");
    // The first write wins.
    expect(JSON.parse(await textOf(clinic!, "up.r.joint.c.member.clinic", "changed"))).toHaveProperty("error");
    expect(await textOf(clinic!, "get.own.r.joint.c.member.clinic")).toBe("mine");
  });

  test("a member reads cells, blobs and the head of the coordinator, and hears its hints", async () => {
    expect(await textOf(clinic!, "get.cells.r.joint.c.run")).toBe("cell");
    expect(await textOf(clinic!, "get.blobs.r.joint.b.hash.0")).toBe("chunk");
    expect(await textOf(clinic!, "get.head.r.joint.head")).toBe("head");
    expect(await textOf(clinic!, "get.cells.r.joint.c.nothing")).toBe("404");
    const hints = clinic!.subscribe("ev.>", { max: 1 });
    await clinic!.flush();
    coordinator.publish("fl.eall.joint");
    for await (const hint of hints) expect(hint.subject).toBe("ev.joint");
  });

  test("a member reaches nothing of another, no stream's administration, and no system subject", async () => {
    await textOf(bank!, "up.r.joint.c.member.bank", "secret");
    const subjects = [
      `fl.u.${bankAccount}.r.joint.c.x`,
      `$JS.API.DIRECT.GET.UP_${bankAccount}.fl.u.${bankAccount}.r.joint.c.member.bank`,
      `$JS.API.DIRECT.GET.UP_${bankAccount}`,
      "$JS.API.DIRECT.GET.FL_HEAD.fl.s.joint.lead",
      "$JS.API.STREAM.LIST",
      "$JS.API.STREAM.INFO.FL_CELLS",
      `$JS.API.STREAM.PURGE.UP_${clinicAccount}`,
      "$JS.API.CONSUMER.CREATE.FL_CELLS",
      "fl.all.r.joint.c.run",
      "fl.all.task",
      `fl.rpc.${bankAccount}.renew`,
      "fl.enrol.x",
      "enrol.x",
      "$SYS.REQ.CLAIMS.UPDATE",
      `$SYS.REQ.ACCOUNT.${bankAccount}.CONNZ`,
    ];
    for (const subject of subjects) expect([subject, await isRefused(clinic!, subject)]).toEqual([subject, true]);
    expect(await textOf(clinic!, "get.head.fl.s.joint.lead")).toBe("404");
    const heard: string[] = [];
    for (const subject of [">", "fl.>", "up.>", "$JS.>"]) {
      clinic!.subscribe(subject, { callback: (_error, message) => void heard.push(message?.subject) });
    }
    await clinic!.flush().catch(() => {});
    await textOf(bank!, "up.r.joint.c.decline.bank", "no");
    await clinic!.flush();
    expect(heard.filter((subject) => subject !== undefined)).toEqual([]);
  });

  test("a request for a stored message names no other stream, subject or sequence than the member's own", async () => {
    await textOf(bank!, "up.r.joint.c.scores.bank", "secret of the bank");
    const uplink = `fl.u.${bankAccount}.r.joint.c.scores.bank`;
    const bodies = [
      { last_by_subj: uplink },
      { next_by_subj: uplink, seq: 1 },
      { seq: 1 },
      { seq: 1, batch: 100 },
      { multi_last: ["fl.u.>", "fl.s.>"], batch: 100 },
      { last_by_subj: "fl.s.joint.lead" },
    ];
    const subjects = ["get.own.r.joint.c.run", "get.own.x", "get.cells.x", "get.blobs.x", "get.head.x", "get.own"];
    for (const subject of subjects) {
      for (const body of bodies) {
        const heard: string[] = [];
        const inbox = clinic!.subscribe(`_INBOX.attack.${subject}`, {
          callback: (_error, message) => void heard.push(message.string()),
        });
        clinic!.publish(subject, JSON.stringify(body), { reply: `_INBOX.attack.${subject}` });
        await clinic!.flush();
        await textOf(clinic!, "get.head.r.joint.head");
        inbox.unsubscribe();
        expect(heard.join()).not.toMatch(/secret|^lead$/);
      }
    }
    for (const named of [`get.own.${uplink}`, `get.blobs.${uplink}`, "get.own.r.joint.c.scores.*", "get.head.s.>"]) {
      expect(await textOf(clinic!, named).catch(() => "refused")).toMatch(/^(404|refused)$/);
    }
  });

  test("an answer that is sent to a foreign subject changes nothing there", async () => {
    const before = await stored("FL_CELLS", "fl.all.r.joint.c.run");
    const uplink = async () => (await manager.streams.info(`UP_${bankAccount}`)).state.messages;
    const messages = await uplink();
    for (const [subject, reply] of [
      ["up.r.joint.c.one", "fl.all.r.joint.c.run"],
      ["get.head.r.joint.head", "fl.all.r.joint.c.run"],
      ["get.head.r.joint.head", `fl.u.${bankAccount}.r.joint.c.two`],
      ["up.r.joint.c.three", `fl.rpc.${bankAccount}.renew`],
      ["up.r.joint.c.four", "$SYS.REQ.CLAIMS.UPDATE"],
      ["rpc.renew", "fl.all.task"],
    ] as const) {
      clinic!.publish(subject, "x", { reply });
    }
    await clinic!.flush();
    // The server has handled what came before this answer.
    await textOf(clinic!, "get.head.r.joint.head");
    expect(await stored("FL_CELLS", "fl.all.r.joint.c.run")).toBe(before);
    expect(await stored("FL_HEAD", "fl.all.task")).toBeUndefined();
    expect(await uplink()).toBe(messages);
  });

  test("more members than the disk has room for are refused with the figures, before a stream is made", async () => {
    await expect(refuseWithoutRoom(system, { members: 200, bytesEach: 208e12 })).rejects.toThrow(
      /^The server has room for [\d.]+ GB, and 200 members need 41600000.0 GB: 208000.0 GB each, for a few updates$/,
    );
    await refuseWithoutRoom(system, { members: 2, bytesEach: 8e6 });
    await expect(ensureUplink(manager, "TOOMUCH", { maxBytes: 208e12 })).rejects.toThrow(
      "The server has no room for another member: it reserves 208000000 MB for each",
    );
  });

  test("an account that the operator did not sign is none, and one that imports another's subjects gets nothing", async () => {
    const stranger = newIdentity("account");
    const claims = {
      limits: { conn: -1, data: -1, exports: -1, imports: -1, leaf: -1, payload: -1, subs: -1, wildcards: true },
      imports: [
        {
          name: "own",
          account: federation.facts.accounts.coordinator,
          subject: `$JS.API.DIRECT.GET.UP_${bankAccount}.fl.u.${bankAccount}.>`,
          type: "service" as const,
          local_subject: "get.own.>",
        },
        {
          name: "up",
          account: federation.facts.accounts.coordinator,
          subject: `fl.u.${bankAccount}.>`,
          type: "service" as const,
          local_subject: "up.>",
        },
      ],
    };
    const user = newIdentity();
    const jwt = await encodeUser("x", user.publicKey, stranger.seed);
    const login = { servers: [server.address.url], credentials: { jwt, seed: user.seed } };
    // Some versions store it, and none lets it log in.
    await push(await encodeAccount("X", stranger.seed, claims)).catch(() => {});
    await expect(connectNats(login)).rejects.toThrow(LoginRefused);
    const signer = await federation.key("signing");
    // A server may refuse such an account as a whole.
    await push(await encodeAccount("X", stranger.seed, claims, { signer: signer.seed })).catch(() => {});
    const rogue = await connectNats(login).catch(() => undefined);
    const before = (await manager.streams.info(`UP_${bankAccount}`)).state.messages;
    if (rogue !== undefined) {
      expect(await isRefused(rogue, "get.own.r.joint.c.member.bank")).toBe(true);
      expect(await isRefused(rogue, "up.r.joint.c.x", "evil")).toBe(true);
      await rogue.close();
    }
    expect((await manager.streams.info(`UP_${bankAccount}`)).state.messages).toBe(before);
  });
});
