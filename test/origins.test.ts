import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FederationMonitor } from "../src/federation/status.ts";
import { initFederation } from "../src/node/federation/federation-folder.ts";
import { startMonitor } from "../src/node/federation/monitor-server.ts";
import { type NatsServer, startNatsServer } from "../src/node/federation/nats-server.ts";
import { freePort } from "../src/node/free-port.ts";
import type { HttpListener } from "../src/node/http-listener.ts";
import { type Chromium, chromiumProgram, startChromium, type Tab } from "./support/chromium.ts";
import { natsProgram } from "./support/nats-server.ts";

describe.runIf(chromiumProgram !== undefined && natsProgram !== undefined)(
  "a page of another origin (skipped where there is no Chromium or no nats-server)",
  () => {
    const root = mkdtempSync(path.join(tmpdir(), "openfedllm-origins-"));
    let browser: Chromium;
    let tab: Tab;
    let pages: Server;
    let origin: string;
    const servers: NatsServer[] = [];
    let monitor: HttpListener;

    beforeAll(async () => {
      pages = createServer((_request, answer) => answer.setHeader("content-type", "text/html").end("<p>A page.</p>"));
      await new Promise<void>((resolve) => pages.listen(0, "127.0.0.1", resolve));
      origin = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
      const state = new FederationMonitor({ federation: "Joint", run: "r" });
      monitor = await startMonitor("127.0.0.1:0", { status: () => state.snapshot(), ready: () => true });
      browser = await startChromium();
      tab = await browser.openTab();
    }, 120_000);

    afterAll(async () => {
      await browser.close();
      for (const server of servers) await server.stop();
      await monitor.stop();
      pages.close();
      rmSync(root, { recursive: true, force: true });
    });

    /** Starts a server with a WebSocket listener. Gives its address. */
    const websocketOf = async (name: string, allowedOrigins?: readonly string[]): Promise<string> => {
      const federation = await initFederation(path.join(root, name), { name });
      const port = await freePort();
      const websocket = { port, ...(allowedOrigins !== undefined && { allowedOrigins }) };
      servers.push(await startNatsServer(federation, { listener: { port: await freePort() }, websocket }));
      return `ws://127.0.0.1:${port}`;
    };
    /** The first thing that a page hears of a WebSocket. */
    const heard = (address: string): Promise<string> =>
      tab.evaluate(`new Promise((resolve) => {
        const socket = new WebSocket(${JSON.stringify(address)});
        socket.onopen = () => resolve("open");
        socket.onerror = () => resolve("error");
      })`);

    test("opens no WebSocket to the federation's server, unless its configuration names the page", async () => {
      const [closed, named] = [await websocketOf("closed"), await websocketOf("named", [origin])];
      await tab.open(origin);
      expect(await heard(closed)).toBe("error");
      expect(await heard(named)).toBe("open");
    }, 120_000);

    test("reads nothing of a monitor, which a page of its own does", async () => {
      const read = `fetch(${JSON.stringify(`${monitor.url}/metrics`)}).then((answer) => answer.text(), () => "refused")`;
      await tab.open(origin);
      expect(await tab.evaluate(read)).toBe("refused");
      await tab.open(`${monitor.url}/healthz`);
      expect(await tab.evaluate(read)).toContain("openfedllm_run_state");
    }, 120_000);
  },
);
