import http from "node:http";
import { afterEach, expect, it } from "vitest";
import { FederationMonitor, type Heartbeat } from "../../federation/status.ts";
import type { RunEvent } from "../../federation/events.ts";
import type { HttpListener } from "../http-listener.ts";
import { parseMonitorAddress, startMonitor, startSiteMonitor } from "./monitor-server.ts";

const started: HttpListener[] = [];

afterEach(async () => {
  await Promise.all(started.splice(0).map((each) => each.stop()));
});

async function kept(starting: Promise<HttpListener>): Promise<string> {
  const listener = await starting;
  started.push(listener);
  return listener.url;
}

/** The values of metrics by name and labels, as Prometheus reads them. */
async function metricsOf(url: string): Promise<Record<string, number>> {
  const answer = await fetch(`${url}/metrics`);
  expect([answer.status, answer.headers.get("content-type")]).toEqual([
    200,
    "text/plain; version=0.0.4; charset=utf-8",
  ]);
  const lines = (await answer.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.split(" ").at(-1))]),
  );
}

function ask(url: string, path: string, host: string): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const request = http.get(`${url}${path}`, { headers: { host } }, (answer) => {
      let body = "";
      answer.on("data", (chunk) => (body += String(chunk)));
      answer.on("end", () => resolve({ status: answer.statusCode, body }));
    });
    request.on("error", reject);
  });
}

it("gives the numbers of a federation as they are at each request", async () => {
  let now = Date.parse("2026-11-29T08:00:00Z");
  const monitor = new FederationMonitor({ federation: "joint", run: "r" }, () => now);
  const url = await kept(startMonitor("127.0.0.1:0", { status: () => monitor.snapshot(), ready: () => true }));
  monitor.expect(["bank", 'the "clinic"']);
  const early = await metricsOf(url);
  expect(early['openfedllm_run_state{state="gathering members"}']).toBe(1);
  expect(early).not.toHaveProperty("openfedllm_round_closes_timestamp_seconds");

  monitor.hear("bank", { state: "training", round: 2, step: 3, steps: 6 });
  monitor.event({ type: "run-start", algorithm: "fedavg", rounds: 4, adapterParameters: 1, clients: [] });
  monitor.event({ type: "round-start", round: 2, clients: ["bank"], learningRate: 1, adapter: "" });
  monitor.event({ type: "client-update", round: 2, client: "bank", bytesUp: 10, bytesDown: 7 } as RunEvent);
  monitor.event({ type: "client-refused", round: 2, client: "x", reason: "" } as RunEvent);
  monitor.await(['the "clinic"'], 60_000);
  const values = await metricsOf(url);
  expect(values).toMatchObject({
    'openfedllm_run_state{state="gathering members"}': 0,
    'openfedllm_run_state{state="training"}': 1,
    openfedllm_round: 2,
    openfedllm_rounds: 4,
    openfedllm_members: 2,
    openfedllm_members_connected: 1,
    'openfedllm_member_connected{client="bank"}': 1,
    'openfedllm_member_connected{client="the \\"clinic\\""}': 0,
    'openfedllm_member_step{client="bank"}': 3,
    openfedllm_awaited: 1,
    openfedllm_round_closes_timestamp_seconds: now / 1000 + 60,
    openfedllm_bytes_up_total: 10,
    openfedllm_bytes_down_total: 7,
    openfedllm_refused_updates_total: 1,
  });
  expect(values["process_resident_memory_bytes"]).toBeGreaterThan(1e6);
  expect(values).toHaveProperty("nodejs_eventloop_lag_seconds");

  now += 60_000;
  expect((await metricsOf(url))['openfedllm_member_connected{client="bank"}']).toBe(0);
});

it("gives the numbers of a site, and none for what it does not do", async () => {
  let heartbeat: Heartbeat = { state: "sending", round: 1, bytesDone: 5, bytesTotal: 20, bytesPerSecond: 2 };
  const url = await kept(startSiteMonitor("0", { heartbeat: () => heartbeat, ready: () => true }));
  expect(await metricsOf(url)).toMatchObject({
    'openfedllm_site_state{state="sending"}': 1,
    openfedllm_site_round: 1,
    openfedllm_site_transfer_bytes: 5,
    openfedllm_site_transfer_size_bytes: 20,
    openfedllm_site_transfer_bytes_per_second: 2,
  });
  heartbeat = { state: "waiting" };
  const waiting = await metricsOf(url);
  expect(waiting['openfedllm_site_state{state="waiting"}']).toBe(1);
  expect(Object.keys(waiting).filter((name) => name.startsWith("openfedllm_site_transfer"))).toEqual([]);
});

it("tells a process that is alive from one that is connected", async () => {
  let connected = false;
  const url = await kept(
    startSiteMonitor("127.0.0.1:0", { heartbeat: () => ({ state: "waiting" }), ready: () => connected }),
  );
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  const before = await fetch(`${url}/readyz`);
  expect([before.status, await before.text()]).toEqual([503, "there is no connection to the NATS server\n"]);
  connected = true;
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  expect((await fetch(`${url}/secrets`)).status).toBe(404);
});

it("answers to its own names only", async () => {
  const monitored = { heartbeat: () => ({ state: "waiting" as const }), ready: () => true };
  const own = await kept(startSiteMonitor("127.0.0.1:0", monitored));
  expect((await ask(own, "/metrics", "localhost:9464")).status).toBe(200);
  for (const host of ["rebound.example", "10.0.0.5", "monitor"]) {
    const { status, body } = await ask(own, "/metrics", host);
    expect([host, status, body]).toEqual([host, 403, expect.stringContaining(host)]);
  }
  const open = (await kept(startSiteMonitor("0.0.0.0:0", monitored))).replace("0.0.0.0", "127.0.0.1");
  for (const host of ["127.0.0.1:1", "10.0.0.5:9464", "monitor:9464", "[fd00::1]:9464"]) {
    expect([host, (await ask(open, "/healthz", host)).status]).toEqual([host, 200]);
  }
  expect((await ask(open, "/healthz", "rebound.example")).status).toBe(403);
});

it("refuses an address that is none or is in use", async () => {
  expect(parseMonitorAddress("[::1]:9464")).toEqual({ host: "::1", port: 9464 });
  expect(parseMonitorAddress("0.0.0.0:80")).toEqual({ host: "0.0.0.0", port: 80 });
  for (const wrong of ["", "host", "host:", "host:99999", "http://host:1", "a b:1"]) {
    expect(() => parseMonitorAddress(wrong)).toThrow("expected HOST:PORT");
  }
  const monitored = { heartbeat: () => ({ state: "waiting" as const }), ready: () => true };
  const used = await kept(startSiteMonitor("127.0.0.1:0", monitored));
  await expect(startSiteMonitor(new URL(used).host, monitored)).rejects.toThrow("is in use");
});
