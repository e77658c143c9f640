import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import type { NatsConnection } from "@nats-io/transport-node";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { UserError } from "../src/diagnostics/user-error.ts";
import { type Credentials, processCredentials } from "../src/identity/claims.ts";
import { connectAs } from "../src/node/federation/accounts.ts";
import { connectNats, type ConnectOptions } from "../src/node/federation/connect.ts";
import { LoginRefused } from "../src/node/federation/connection-errors.ts";
import { type Federation, initFederation } from "../src/node/federation/federation-folder.ts";
import { type NatsServer, startNatsServer } from "../src/node/federation/nats-server.ts";
import { localConnection } from "../src/node/federation/server-address.ts";
import { type Certificates, hasOpenssl, makeCertificates } from "./support/certificates.ts";
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

describe("an address", () => {
  test.each([
    ["nats://hub.example.org:4222", "not encrypted"],
    ["ws://10.0.0.1:8080", "not encrypted"],
    ["https://hub.example.org", "not the address of a server"],
    ["hub.example.org:4222", "not the address of a server"],
    ["tls://user:s3cret@hub.example.org", "has a user or a password"],
    ["tls://", "not the address of a server"],
  ])("%s is refused before anything is sent", async (server, expected) => {
    const { kind, message, hint } = await failureOf(connectNats({ servers: [server] }));
    expect([kind, message]).toEqual(["config", expect.stringContaining(expected)]);
    expect(`${message} ${hint}`).not.toContain("s3cret");
  });

  test("where nobody listens says so, over each way", async () => {
    const port = await freePort();
    for (const server of [`nats://127.0.0.1:${port}`, `tls://127.0.0.1:${port}`, `ws://127.0.0.1:${port}`]) {
      const { kind, message } = await failureOf(connectNats({ servers: [server], env: {} }));
      expect([kind, message]).toEqual(["storage", `nobody listens at ${server}: the connection is refused`]);
    }
  });
});

describe.runIf(natsProgram !== undefined && hasOpenssl)(
  "connections to a server with TLS (skipped where there is no nats-server or no openssl)",
  () => {
    let root: string;
    let federation: Federation;
    let certificates: Certificates;
    let server: NatsServer;
    let credentials: Credentials;
    let ports: { readonly tcp: number; readonly web: number };
    let proxy: Server;
    let proxyUrl: string;
    /** The proxy's answer, and the hosts that it was asked for. */
    let status = 200;
    const asked: string[] = [];
    const open: NatsConnection[] = [];

    const connected = async (options: Partial<ConnectOptions> & Pick<ConnectOptions, "servers">) => {
      const connection = await connectNats({ credentials, ca: certificates.ca, env: {}, ...options });
      open.push(connection);
      await connection.flush();
      return connection;
    };
    const start = async (): Promise<void> => {
      server = await startNatsServer(federation, {
        listener: { port: ports.tcp, tls: certificates.files },
        websocket: { port: ports.web, tls: certificates.files },
      });
    };

    beforeAll(async () => {
      root = mkdtempSync(path.join(tmpdir(), "openfedllm-connect-"));
      certificates = makeCertificates(root);
      federation = await initFederation(path.join(root, "federation"), { name: "Hospitals" });
      credentials = await processCredentials("test", await federation.key("coordinator"));
      ports = { tcp: await freePort(), web: await freePort() };
      await start();
      proxy = createServer().on("connect", (request, socket, head) => {
        asked.push(request.url!);
        if (status !== 200) {
          socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
          return;
        }
        const [, port] = request.url!.split(":");
        const upstream = connectTcp(Number(port), "127.0.0.1", () => {
          socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
          upstream.write(head);
          upstream.pipe(socket);
          socket.pipe(upstream);
        });
        upstream.on("error", () => socket.destroy());
        socket.on("error", () => upstream.destroy());
      });
      await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
      proxyUrl = `http://user:s3cret@127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    });

    afterEach(async () => {
      await Promise.all(open.splice(0).map((connection) => connection.close()));
      status = 200;
      asked.length = 0;
    });

    afterAll(async () => {
      await server.stop();
      proxy.closeAllConnections();
      proxy.close();
      rmSync(root, { recursive: true, force: true });
    });

    const ways = (): readonly string[] => [`tls://localhost:${ports.tcp}`, `wss://localhost:${ports.web}`];

    test("are made with the authority of the invitation, and refused without it or with another name", async () => {
      for (const address of ways()) {
        const connection = await connected({ servers: [address] });
        expect(connection.info?.max_payload).toBe(4 * 1024 * 1024);
        const unknown = await failureOf(connectNats({ servers: [address], credentials, env: {} }));
        expect([unknown.kind, unknown.message]).toEqual(["config", expect.stringContaining("unknown authority")]);
        expect(unknown.hint).toContain("--ca");
        const named = await failureOf(connected({ servers: [address.replace("localhost", "127.0.0.1")] }));
        expect([named.kind, named.message]).toEqual(["config", expect.stringContaining("is for another name")]);
        expect(await failureOf(connected({ servers: [address], credentials: undefined }))).toBeInstanceOf(LoginRefused);
      }
    });

    test("try the other way where one is closed", async () => {
      const closed = await freePort();
      const [tls, wss] = ways() as [string, string];
      await connected({ servers: [`tls://localhost:${closed}`, wss] });
      await connected({ servers: [`wss://localhost:${closed}`, tls] });
      await connected({ servers: [`wss://localhost:${closed}`, wss] });
      const { message } = await failureOf(connected({ servers: [`tls://localhost:${closed}`] }));
      expect(message).toContain("nobody listens");
    });

    test("of the operator's own machine accept the server's own certificate, of an unknown authority too, and no other", async () => {
      const local = await localConnection(server.address);
      expect(local.servers).toEqual([`tls://127.0.0.1:${ports.tcp}`]);
      open.push(await connectAs(federation, "system", local));
      const other = await failureOf(
        connectAs(federation, "system", { ...local, certificate: readFileSync(path.join(root, "ca.pem"), "utf8") }),
      );
      expect(other.message).toContain("is for another name");
    });

    test("pass an HTTP proxy that is given or in HTTPS_PROXY, unless NO_PROXY names the server", async () => {
      const [, wss] = ways() as [string, string];
      await connected({ servers: [wss], proxy: proxyUrl });
      await connected({ servers: [wss], env: { HTTPS_PROXY: proxyUrl } });
      await connected({ servers: [wss], env: { https_proxy: proxyUrl, NO_PROXY: "example.org, .example.net" } });
      expect(asked).toEqual(Array.from({ length: 3 }, () => `localhost:${ports.web}`));
      await connected({ servers: [wss], env: { HTTPS_PROXY: proxyUrl, NO_PROXY: `localhost:${ports.web}` } });
      await connected({ servers: [wss], env: { HTTPS_PROXY: proxyUrl, no_proxy: "*" } });
      await connected({ servers: [wss], proxy: false, env: { HTTPS_PROXY: proxyUrl } });
      expect(asked).toHaveLength(3);
    });

    test("say what a proxy answered, without its password", async () => {
      const [, wss] = ways() as [string, string];
      const failures: UserError[] = [];
      for (const answer of [403, 407]) {
        status = answer;
        const failure = await failureOf(connected({ servers: [wss], proxy: proxyUrl }));
        expect(failure.message).toMatch(
          new RegExp(`^the proxy 127\\.0\\.0\\.1:\\d+ refuses .*: HTTP status ${answer}$`),
        );
        failures.push(failure);
      }
      expect(failures[1]!.hint).toContain("HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT");
      const dead = `http://user:s3cret@127.0.0.1:${await freePort()}`;
      failures.push(await failureOf(connected({ servers: [wss], proxy: dead })));
      expect(failures[2]!.message).toContain("through the proxy 127.0.0.1:");
      failures.push(await failureOf(connected({ servers: [wss], proxy: "socks5://user:s3cret@127.0.0.1:1" })));
      for (const { message, hint } of failures) expect(`${message} ${hint}`).not.toContain("s3cret");
    });

    test("are made again after the server was away, with the token of then", async () => {
      const [tls] = ways() as [string, string];
      const second = await processCredentials("second", await federation.key("coordinator"));
      let current = second.jwt;
      const connection = await connected({ servers: [tls], credentials: { jwt: () => current, seed: second.seed } });
      const back = (async () => {
        for await (const status of connection.status()) if (status.type === "reconnect") return;
      })();
      await server.stop();
      current = second.jwt;
      await start();
      await back;
      await connection.flush();
    });
  },
);
