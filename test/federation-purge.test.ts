import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createAccount } from "@nats-io/nkeys";
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { afterAll, describe, expect, test } from "vitest";
import { newIdentity } from "../src/identity/keys.ts";
import { hostStore } from "../src/net/host-store.ts";
import { blobSubject, cellSubject, uplinkBlobs, uplinkRun, uplinkStream } from "../src/net/layout.ts";
import { takeLead } from "../src/net/lead.ts";
import { serveRpc } from "../src/net/rpc.ts";
import { storedRuns } from "../src/net/stored-run.ts";
import { publishedRun, publishTask } from "../src/net/task.ts";
import { ensureFederationStreams, ensureUplink } from "../src/net/uplinks.ts";
import { connectAs } from "../src/node/federation/accounts.ts";
import { type Federation, initFederation } from "../src/node/federation/federation-folder.ts";
import { startNatsServer } from "../src/node/federation/nats-server.ts";
import { freePort } from "../src/node/free-port.ts";
import { startIn } from "./support/cli.ts";
import { natsProgram } from "./support/nats-server.ts";

const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-purge-"));
const MIB = 1024 * 1024;
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const purge = (...args: string[]) =>
  startIn(folder, { ...process.env, NO_COLOR: "1" }, "federation", "purge", "--federation", "fed", ...args).ended;

async function memberOf(federation: Federation, name: string): Promise<string> {
  const account = createAccount().getPublicKey();
  const now = new Date().toISOString();
  const record = {
    version: 1,
    name,
    account,
    state: "left",
    users: [newIdentity().publicKey],
    revocations: {},
  } as const;
  await federation.saveMember({ ...record, since: now, expires: now, lastSeen: now, software: "test" });
  return account;
}

describe.runIf(natsProgram !== undefined)("federation purge (skipped where there is no nats-server)", () => {
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("says what it deletes, refuses the run of a host at work, and leaves other runs alone", async () => {
    const federation = await initFederation(path.join(folder, "fed"), { name: "Fruit and tools" });
    const unreached = await purge("joint", "--yes");
    expect([unreached.code, unreached.stderr]).toEqual([2, expect.stringContaining("no server was reached")]);

    const account = await memberOf(federation, "clinic");
    const port = await freePort();
    const opened = async () => {
      const server = await startNatsServer(federation, { listener: { port } });
      const place = { servers: [`nats://127.0.0.1:${port}`], proxy: false } as const;
      const connection = await connectAs(federation, "coordinator", place);
      const close = async (): Promise<void> => {
        await connection.close();
        await server.stop();
      };
      return { connection, manager: await jetstreamManager(connection), close };
    };
    const { connection, manager, close } = await opened();
    await ensureFederationStreams(manager);
    await ensureUplink(manager, account, { maxBytes: 64 * MIB });
    const key = await federation.key("federation");
    for (const run of ["joint", "other"]) {
      await takeLead(connection, run, "test");
      const store = await hostStore({ connection, run, members: () => new Map([["clinic", account]]) });
      await store.create("roster", text("{}"));
      await store.putBlob(new Uint8Array(3 * MIB).fill(run.length));
      await store.setHead(0, text("head"));
      const own = uplinkRun(account, run);
      const put = (subject: string, bytes: Uint8Array) => connection.request(subject, bytes);
      await put(cellSubject(own, "member/clinic"), text("{}"));
      await put(blobSubject(own, "a".repeat(64), 0), new Uint8Array(500));
      await put(blobSubject(own, "a".repeat(64), "size"), text("500"));
      // An upload that was cut off.
      await put(blobSubject(own, "b".repeat(64), 0), new Uint8Array(300));
    }
    await publishTask(connection, {
      federation: federation.facts.id,
      key,
      task: { protocol: 1, run: "joint", software: "test" },
    });
    const bytesOn = async (on: JetStreamManager): Promise<number> => {
      let sum = 0;
      for (const stream of ["FL_BLOBS", uplinkStream(account), uplinkBlobs(account)])
        sum += (await on.streams.info(stream)).state.bytes;
      return sum;
    };
    const before = await bytesOn(manager);

    const unknown = await purge("joynt");
    expect([unknown.code, unknown.stderr]).toEqual([
      2,
      expect.stringMatching(/the server has no run joynt\n.*Did you mean 'joint'\? It has joint, other\./),
    ]);
    const stopHost = serveRpc(connection, { hb: async () => new Uint8Array() });
    await connection.flush();
    const busy = await purge("joint", "--yes");
    expect([busy.code, busy.stderr]).toEqual([
      2,
      expect.stringContaining("openfedllm host works on the run joint now"),
    ]);
    stopHost();
    await connection.flush();
    const what = "3 blobs (3.1 MB) and 2 cells of the run joint, from the coordinator and 1 member";
    const unasked = await purge("joint");
    expect([unasked.code, unasked.stderr]).toEqual([2, expect.stringContaining(`With --yes this deletes ${what}.`)]);
    expect(await bytesOn(manager)).toBe(before);

    expect(await purge("joint", "--yes")).toMatchObject({ code: 0, stdout: `deleted ${what}\n` });
    expect(await bytesOn(manager)).toBe(before / 2);
    expect(await storedRuns(manager)).toEqual(["other"]);
    expect(await publishedRun(manager)).toBeUndefined();
    await close();

    // Nobody runs the server now.
    expect(await purge("other", "--yes")).toMatchObject({ code: 0 });
    const again = await opened();
    expect(await bytesOn(again.manager)).toBe(0);
    expect(await storedRuns(again.manager)).toEqual([]);
    await again.close();
  }, 120_000);
});
