import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer, connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { UserError } from "../src/diagnostics/user-error.ts";
import { connectAs } from "../src/node/federation/accounts.ts";
import { type Federation, initFederation } from "../src/node/federation/federation-folder.ts";
import { findNatsServer, isOutdated } from "../src/node/federation/nats-program.ts";
import { readServerAddress } from "../src/node/federation/server-address.ts";
import { startNatsServer } from "../src/node/federation/nats-server.ts";
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

const isOpen = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connectTcp(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });

describe("the server's program", () => {
  test("that is missing is named with the ways to get it", async () => {
    const named = await failureOf(findNatsServer({ OPENFEDLLM_NATS_SERVER: process.execPath }));
    expect(named.message).toContain("is not a nats-server program");
    const { hint } = await failureOf(findNatsServer({ OPENFEDLLM_NATS_SERVER: "/nowhere/nats-server" }));
    expect(hint).toContain("sudo apt-get install nats-server");
    expect(hint).toContain("dpkg-deb -x");
    expect(hint).toContain("https://github.com/nats-io/nats-server/releases");
  });
});

describe.runIf(natsProgram !== undefined)("a server as a child (skipped where there is no nats-server)", () => {
  let root: string;
  let federation: Federation;
  let port: number;

  beforeAll(async () => {
    root = mkdtempSync(path.join(tmpdir(), "openfedllm-process-"));
    federation = await initFederation(path.join(root, "federation"), { name: "Hospitals" });
    port = await freePort();
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  const serverFile = (name: string): string => path.join(federation.folder, "server", name);
  const hosted = async (): Promise<ChildProcess> => {
    const host = spawn(
      process.execPath,
      [path.join(import.meta.dirname, "support", "federation-host.mjs"), federation.folder, String(port)],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    await new Promise<void>((resolve, reject) => {
      host.stdout!.on("data", () => resolve());
      host.on("exit", (code) => reject(new Error(`the host ended with ${code}`)));
    });
    return host;
  };

  test.each(["SIGKILL", "SIGTERM"] as const)("ends with its parent, though that ends by %s", async (signal) => {
    const host = await hosted();
    expect(await isOpen(port)).toBe(true);
    host.kill(signal);
    // The next server waits for the end of this one.
    const server = await startNatsServer(federation, { listener: { port } });
    expect(await isOpen(port)).toBe(true);
    await server.stop();
    expect(await isOpen(port)).toBe(false);
  });

  test("tells its end, whoever ended it, and may be started again", async () => {
    const first = await startNatsServer(federation, { listener: { port } });
    process.kill(Number(readFileSync(serverFile("server.pid"), "utf8")), "SIGKILL");
    await first.ended;
    const second = await startNatsServer(federation, { listener: { port } });
    await (await connectAs(federation, "system", { servers: [second.address.url] })).close();
    await first.stop();
    expect((await readServerAddress(federation))?.url).toBe(second.address.url);
    await second.stop();
    expect(await readServerAddress(federation)).toBeUndefined();
    expect(await second.ended).toContain("Exiting");
  });

  test("is the only one of its federation", async () => {
    const server = await startNatsServer(federation, { listener: { port } });
    const other = await failureOf(startNatsServer(federation, { listener: { port: await freePort() } }));
    expect(other.message).toBe("another process runs the server of this federation");
    await server.stop();
  });

  test("says in one sentence that its port is in use, and a free one is good after that", async () => {
    const blocker = createServer();
    const taken = await new Promise<number>((resolve) =>
      blocker.listen(0, "127.0.0.1", () => resolve((blocker.address() as { port: number }).port)),
    );
    const tcp = await failureOf(startNatsServer(federation, { listener: { port: taken } }));
    expect(tcp.message).toBe(`port ${taken} of 127.0.0.1 is in use by another program`);
    const web = await failureOf(startNatsServer(federation, { listener: { port }, websocket: { port: taken } }));
    expect(web.message).toBe(`port ${taken} of 127.0.0.1 is in use by another program`);
    blocker.close();
    await (await startNatsServer(federation, { listener: { port } })).stop();
  });

  test("says what it refuses in its configuration", async () => {
    const tls = { certificate: path.join(root, "missing.pem"), key: path.join(root, "missing.key") };
    const { message } = await failureOf(startNatsServer(federation, { listener: { port, tls } }));
    expect(message).toMatch(/^nats-server ended at once: .*missing\.pem/);
  });

  test("is not exposed with known faults, unless the person takes the risk", async () => {
    const tls = { certificate: path.join(root, "missing.pem"), key: path.join(root, "missing.key") };
    const listener = { host: "0.0.0.0", port, tls };
    const outdated = isOutdated(await findNatsServer());
    const { message } = await failureOf(startNatsServer(federation, { listener }));
    expect(message).toContain(outdated ? "known security faults" : "ended at once");
    const risk = await failureOf(startNatsServer(federation, { listener, allowOutdatedServer: true }));
    expect(risk.message).toContain("ended at once");
  });

  test("keeps its files for its owner", async () => {
    const server = await startNatsServer(federation, { listener: { port } });
    expect(statSync(path.join(federation.folder, "server")).mode & 0o077).toBe(0);
    expect(statSync(serverFile("server.conf")).mode & 0o077).toBe(0);
    expect(readFileSync(serverFile("server.log"), "utf8")).toContain("Server is ready");
    await server.stop();
  });
});
