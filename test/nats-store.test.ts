import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { natsStore } from "../src/net/nats-store.ts";
import { STORE_CONFORMANCE } from "../src/store/conformance.ts";
import { sha256 } from "../src/tensor/sha256.ts";
import { natsProgram, type NatsServer, natsServer } from "./support/nats-server.ts";

describe.runIf(natsProgram !== undefined)("a store in NATS (skipped where there is no nats-server)", () => {
  let server: NatsServer;
  let connection: NatsConnection;
  let runs = 0;

  beforeAll(async () => {
    server = await natsServer();
    connection = await connect({ servers: server.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  });

  afterAll(async () => {
    await connection?.close();
    await server?.remove();
  });

  for (const { name, run } of STORE_CONFORMANCE) {
    it(name, async () => {
      const unique = `run-${++runs}`;
      await run(() => natsStore({ connection, name: unique }));
    });
  }

  it("uploads and fetches a blob of many chunks while the server is killed and started", async () => {
    const store = await natsStore({ connection, name: "killed" });
    const bytes = new Uint8Array(24 * 1024 * 1024);
    for (let i = 0; i < bytes.length; i += 1013) bytes[i] = i % 251;
    const uploading = store.putBlob(bytes);
    for (let kill = 0; kill < 2; kill++) {
      await new Promise((resolve) => setTimeout(resolve, 30));
      await server.kill();
      await server.start();
    }
    const hash = await uploading;
    expect(hash).toBe(await sha256(bytes));
    expect(await sha256(await store.blob(hash))).toBe(hash);
  });
});
