import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { NatsConnection } from "@nats-io/transport-node";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { UserError } from "../src/diagnostics/user-error.ts";
import type { Invitation } from "../src/identity/invitation.ts";
import { newIdentity } from "../src/identity/keys.ts";
import { connectAs, type PushToken, pushAllAccounts, pushOver } from "../src/node/federation/accounts.ts";
import { connectNats } from "../src/node/federation/connect.ts";
import { LoginRefused } from "../src/node/federation/connection-errors.ts";
import { enrol, isRenewalDue, loginRefused, renewToken, siteConnection } from "../src/node/federation/enrol.ts";
import { serveEnrolment } from "../src/node/federation/enrolment-service.ts";
import { type Federation, initFederation, openFederation } from "../src/node/federation/federation-folder.ts";
import { inviteMember, revokeMember } from "../src/node/federation/invite.ts";
import { type NatsServer, startNatsServer } from "../src/node/federation/nats-server.ts";
import { localConnection } from "../src/node/federation/server-address.ts";
import { openSite, type Site } from "../src/node/federation/site-folder.ts";
import { natsProgram } from "./support/nats-server.ts";
import { freePort } from "../src/node/free-port.ts";

const failureOf = async (work: Promise<unknown>): Promise<UserError> => {
  const error = await work.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(UserError);
  return error as UserError;
};

/** A token is made for a second: what is revoked in that second stays void. */
const nextSecond = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1100));

describe.runIf(natsProgram !== undefined)("enrolment (skipped where there is no nats-server)", () => {
  let root: string;
  let federation: Federation;
  let port: number;
  let server: NatsServer;
  let system: NatsConnection;
  let coordinator: NatsConnection;
  let push: PushToken;
  const open: NatsConnection[] = [];

  let stopService = (): void => {};
  const serve = (): void => {
    stopService = serveEnrolment(coordinator, federation, { push, prepare: async () => ({ bytes: 1000 }) });
  };
  const host = async (): Promise<void> => {
    server = await startNatsServer(federation, { listener: { port } });
    const local = await localConnection(server.address);
    system = await connectAs(federation, "system", local);
    coordinator = await connectAs(federation, "coordinator", local);
    push = pushOver(system);
    await pushAllAccounts(federation, push);
    serve();
    await coordinator.flush();
  };
  const endHost = async (): Promise<void> => {
    await coordinator.close();
    await system.close();
    await server.stop();
  };
  const invite = (client: string, options: Partial<Parameters<typeof inviteMember>[1]> = {}): Promise<Invitation> =>
    inviteMember(federation, { client, servers: [server.address.url], hours: 1, ...options }, push);
  const site = (name: string): string => path.join(root, "sites", name);
  const join = (invitation: Invitation, name: string = invitation.client): Promise<Site> =>
    enrol(invitation, site(name), { software: "test 1" });
  const connectSite = async (member: Site): Promise<NatsConnection> => {
    const connection = await connectNats(siteConnection(() => member));
    open.push(connection);
    return connection;
  };

  beforeAll(async () => {
    root = mkdtempSync(path.join(tmpdir(), "openfedllm-federation-"));
    federation = await initFederation(path.join(root, "federation"), { name: "Hospitals" });
    port = await freePort();
    await host();
  });

  afterEach(async () => {
    await Promise.all(open.splice(0).map((connection) => connection.close()));
  });

  afterAll(async () => {
    await endHost();
    rmSync(root, { recursive: true, force: true });
  });

  test("a member joins a running server, asks the coordinator, and renews its token", async () => {
    const member = await join(await invite("clinic"));
    expect(member.record).toMatchObject({ client: "clinic", limits: { bytes: 1000 }, user: member.identity.publicKey });
    const connection = await connectSite(member);
    coordinator.subscribe("fl.rpc.*.echo", {
      callback: (_error, message) => {
        message.respond(`${message.subject} ${message.string()}`);
      },
      max: 1,
    });
    await coordinator.flush();
    expect((await connection.request("rpc.echo", "hello")).string()).toBe(`fl.rpc.${member.record.account}.echo hello`);
    await nextSecond();
    const renewed = await renewToken(connection, member);
    expect(renewed.record.jwt).not.toBe(member.record.jwt);
    expect((await openSite(site("clinic"))).record.jwt).toBe(renewed.record.jwt);
    await connectSite(renewed);
  });

  test("a lost answer is harmless: the same invitation with the same key gives the same account", async () => {
    const invitation = await invite("lost");
    const first = await join(invitation);
    rmSync(path.join(site("lost"), "site.json"));
    const second = await join(invitation);
    expect(second.record.account).toBe(first.record.account);
    expect(second.record.user).toBe(first.record.user);
    // A joined site asks nobody.
    expect((await join({ ...invitation, servers: ["nats://127.0.0.1:1"] })).record).toEqual(second.record);
    expect((await failureOf(join({ ...invitation, client: "other" }, "lost"))).message).toContain(
      "is the site of lost",
    );
  });

  test("an invitation is for one key", async () => {
    const invitation = await invite("once");
    await join(invitation);
    const { message, hint } = await failureOf(join(invitation, "thief"));
    expect(message).toContain("used by another key");
    expect(`${message} ${hint}`).not.toContain(invitation.creds.seed);
  });

  test("an invitation is for one name", async () => {
    const invitation = await invite("named");
    const { message } = await failureOf(join({ ...invitation, client: "renamed" }));
    expect(message).toContain("the invitation is for another name");
    expect((await federation.members()).map(({ name }) => name)).not.toContain("renamed");
  });

  test("an expired, revoked or unknown invitation is refused with the times of the clocks", async () => {
    const hourAgo = new Date(Date.now() - 2 * 3_600_000);
    const late = await failureOf(join(await invite("late", { now: hourAgo })));
    expect(late.message).toMatch(/expired at .* UTC; it is .* UTC by the coordinator's clock/);
    const slow = await failureOf(
      enrol(await invite("slow", { now: hourAgo }), site("slow"), {
        software: "test 1",
        now: () => new Date(Date.now() - 61 * 60_000),
      }),
    );
    expect(slow.hint).toContain("61 minutes behind the coordinator's");
    const old = await failureOf(join(await invite("old", { now: new Date(Date.now() - 48 * 3_600_000) })));
    expect(old.message).toMatch(
      /the invitation has expired: it expires at .* UTC, and this machine's clock says .* UTC/,
    );
    const revoked = await invite("revoked");
    await revokeMember(federation, "revoked", push);
    expect((await failureOf(join(revoked))).message).toContain("the server refuses the invitation");
    const forgotten = await invite("forgotten");
    rmSync(path.join(federation.folder, "invitations", `${forgotten.id}.json`));
    expect((await failureOf(join(forgotten))).message).toContain("does not know the invitation");
  });

  test("a coordinator with another key is not believed", async () => {
    const invitation = await invite("careful");
    const stranger = { ...invitation, federation: { ...invitation.federation, key: newIdentity().publicKey } };
    expect((await failureOf(join(stranger))).message).toContain("signature is wrong");
    expect((await failureOf(openSite(site("careful")))).message).toContain("has no site.json");
    expect((await join(invitation)).record.client).toBe("careful");
  });

  test("a server without a coordinator is told from one that is away", async () => {
    const invitation = await invite("early");
    stopService();
    await coordinator.flush();
    const early = await failureOf(enrol(invitation, site("early"), { software: "test 1", answerWithinMs: 300 }));
    expect([early.kind, early.message]).toEqual(["storage", "the server is there, but no coordinator answers"]);
    serve();
    await coordinator.flush();
    expect((await join(invitation)).record.client).toBe("early");
  });

  test("a fault of the coordinator's side is told without its files, and the member may try again", async () => {
    const invitation = await invite("unlucky");
    stopService();
    const faults: unknown[] = [];
    stopService = serveEnrolment(coordinator, federation, {
      push: async () => {
        throw new UserError("storage", `/srv/secret/path is full`);
      },
      onFailure: (error) => faults.push(error),
    });
    await coordinator.flush();
    const { message } = await failureOf(join(invitation));
    expect(message).toContain("the coordinator has a problem");
    expect(message).not.toContain("/srv");
    expect(String(faults)).toContain("/srv/secret/path");
    stopService();
    serve();
    await coordinator.flush();
    expect((await join(invitation)).record.client).toBe("unlucky");
  });

  test("a refused login is explained with the token's end and this machine's time", async () => {
    const member = await join(await invite("clock"));
    const error = new LoginRefused("config", "refused");
    const later = new Date(Date.now() + 40 * 86_400_000);
    expect(loginRefused(member, error, later).message).toMatch(
      /its token expired at .* UTC, and this machine's clock says .* UTC$/,
    );
    expect(loginRefused(member, error).message).toContain("its membership was revoked, or the server's clock is wrong");
    expect(isRenewalDue(member)).toBe(false);
    expect(isRenewalDue(member, new Date(Date.now() + 19 * 86_400_000))).toBe(false);
    expect(isRenewalDue(member, new Date(Date.now() + 21 * 86_400_000))).toBe(true);
  });

  test("the token without the seed opens nothing", async () => {
    const { record } = await join(await invite("stolen"));
    const stolen = { jwt: record.jwt, seed: newIdentity().seed };
    const error = await failureOf(connectNats({ servers: record.servers, credentials: stolen }));
    expect(error).toBeInstanceOf(LoginRefused);
    expect(await failureOf(connectNats({ servers: record.servers }))).toBeInstanceOf(LoginRefused);
  });

  test("credentials of an invitation can ask for its enrolment alone", async () => {
    const [mine, other] = [await invite("mine"), await invite("other")];
    const connection = await connectNats({
      servers: mine.servers,
      credentials: mine.creds,
      inboxPrefix: `_INBOX.${mine.id}`,
    });
    open.push(connection);
    const errors: string[] = [];
    void (async () => {
      for await (const status of connection.status()) if (status.type === "error") errors.push(status.error.message);
    })();
    for (const subject of [`enrol.${other.id}`, "fl.all.task", "$JS.API.STREAM.LIST", "rpc.renew"]) {
      await expect(connection.request(subject, "", { timeout: 300 })).rejects.toThrow();
    }
    connection.subscribe(`_INBOX.${other.id}.>`);
    await connection.flush();
    expect(errors.filter((text) => text.includes("Permissions Violation"))).not.toEqual([]);
    await join(other);
  });

  test("revoking closes the live connection and refuses the next one; others stay", async () => {
    const [gone, stays] = [await join(await invite("gone")), await join(await invite("stays"))];
    const [connection, other] = [await connectSite(gone), await connectSite(stays)];
    await nextSecond();
    await revokeMember(federation, "gone", push);
    await connection.closed();
    expect(await failureOf(connectSite(gone))).toBeInstanceOf(LoginRefused);
    await other.flush();
    expect(other.isClosed()).toBe(false);
    expect((await federation.member("gone"))?.state).toBe("revoked");
    expect((await failureOf(invite("gone"))).message).toContain("was revoked");
    expect((await failureOf(invite("stays"))).message).toContain("already a member");
    expect((await failureOf(revokeMember(federation, "gonee", push))).hint).toBe("Did you mean 'gone'?");
  });

  test("a member that lost its folder keeps its account under a new key, and the old key is void", async () => {
    const before = await join(await invite("again"));
    const old = await connectSite(before);
    await nextSecond();
    const invitation = await invite("again", { again: true });
    await old.closed();
    rmSync(site("again"), { recursive: true });
    const after = await join(invitation);
    expect(after.record.account).toBe(before.record.account);
    expect(after.record.user).not.toBe(before.record.user);
    await connectSite(after);
    expect(await failureOf(connectSite(before))).toBeInstanceOf(LoginRefused);
    expect((await federation.member("again"))?.users).toEqual([before.record.user, after.record.user]);
    // The invitation of before does not lead back.
    await nextSecond();
    await revokeMember(federation, "again", push);
    await nextSecond();
    await join(await invite("again", { again: true }), "again-2");
    expect((await federation.member("again"))?.state).toBe("member");
  });

  test("an open invitation is replaced by --again, and the earlier one is void", async () => {
    const first = await invite("twice");
    expect((await failureOf(invite("twice"))).message).toContain("has an open invitation");
    const second = await invite("twice", { again: true });
    await failureOf(join(first, "first"));
    expect((await join(second)).record.client).toBe("twice");
  });

  test("everything works again after a restart, and on a new, empty server", async () => {
    const member = await join(await invite("lasting"));
    const revoked = await join(await invite("former"));
    await nextSecond();
    await revokeMember(federation, "former", push);
    const late = await invite("after-restart");
    for (const isEmpty of [false, true]) {
      await endHost();
      if (isEmpty) rmSync(path.join(federation.folder, "server"), { recursive: true });
      federation = await openFederation(federation.folder);
      await host();
      await renewToken(await connectSite(member), member);
      expect(await failureOf(connectSite(revoked))).toBeInstanceOf(LoginRefused);
    }
    expect((await join(late)).record.client).toBe("after-restart");
  });

  test("no file of the public part and no log holds a seed; keys are for their owner alone", async () => {
    const seeds = readdirSync(path.join(federation.folder, "keys"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".nk"))
      .map((name) => readFileSync(path.join(federation.folder, "keys", name), "utf8").trim());
    expect(seeds.length).toBeGreaterThan(6);
    for (const name of readdirSync(federation.folder, { recursive: true, encoding: "utf8" })) {
      const file = path.join(federation.folder, name);
      const { mode } = statSync(file);
      if (name.startsWith("keys")) expect(mode & 0o077, name).toBe(0);
      if (name.startsWith("keys") || statSync(file).isDirectory()) continue;
      const text = readFileSync(file, "latin1");
      for (const seed of seeds) expect(text.includes(seed), name).toBe(false);
    }
    for (const file of [path.join(site("lasting"), "identity.nk"), path.join(site("lasting"), "site.json")]) {
      expect(statSync(file).mode & 0o077).toBe(0);
    }
    writeFileSync(path.join(site("lasting"), "identity.nk"), newIdentity().seed);
    const { message } = await failureOf(openSite(site("lasting")));
    expect(message).toContain("identity.nk is the key");
    expect(message).not.toContain(readFileSync(path.join(site("lasting"), "identity.nk"), "utf8"));
  });
});
