import { Hono } from "hono";
import type { Registry } from "prom-client";
import { UserError } from "../../diagnostics/user-error.ts";
import type { FederationStatus, Heartbeat } from "../../federation/status.ts";
import { isLoopback } from "../../serving/access.ts";
import { type HttpListener, listenHttp } from "../http-listener.ts";
import { federationMetrics, siteMetrics } from "./monitor-metrics.ts";

interface Ready {
  /** False while the process has no connection to its server. */
  readonly ready: () => boolean;
}

/**
 * Shows the state of a coordinator over HTTP: `/healthz` (the process answers), `/readyz` (it is connected too) and `/metrics`
 * (Prometheus). No answer has a secret. `address`: `HOST:PORT`, or a port of this machine alone.
 *
 * @throws UserError of kind `config` for an address that cannot be used.
 */
export function startMonitor(
  address: string,
  { status, ready }: Ready & { readonly status: () => FederationStatus },
): Promise<HttpListener> {
  return listen(address, federationMetrics(status), ready);
}

/** The same for a site. */
export function startSiteMonitor(
  address: string,
  { heartbeat, ready }: Ready & { readonly heartbeat: () => Heartbeat },
): Promise<HttpListener> {
  return listen(address, siteMetrics(heartbeat), ready);
}

function listen(address: string, metrics: Registry, ready: () => boolean): Promise<HttpListener> {
  const { host, port } = parseMonitorAddress(address);
  const app = new Hono();
  app.use(async (c, next) => {
    const { hostname } = new URL(c.req.url);
    if (!mayAsk(hostname, host)) {
      return c.text(`the request is for the host ${hostname}, and this monitor does not go by that name\n`, 403);
    }
    return next();
  });
  app.get("/healthz", (c) => c.text("alive\n"));
  app.get("/readyz", (c) => (ready() ? c.text("ready\n") : c.text("there is no connection to the NATS server\n", 503)));
  app.get("/metrics", async (c) => c.body(await metrics.metrics(), 200, { "content-type": metrics.contentType }));
  app.notFound((c) => c.text("there are /healthz, /readyz and /metrics\n", 404));
  return listenHttp((request) => app.fetch(request), { host, port, flags: { host: "--monitor", port: "--monitor" } });
}

/** Reads `HOST:PORT` or `PORT`. @throws UserError of kind `config` for another text. */
export function parseMonitorAddress(address: string): { readonly host: string; readonly port: number } {
  const [, host = "127.0.0.1", port] = /^(?:(\[[\da-f:.]+\]|[^:[\]\s/]+):)?(\d{1,5})$/i.exec(address) ?? [];
  if (port === undefined || Number(port) > 65_535) {
    throw new UserError("config", `the address of the monitor is ${JSON.stringify(address)}, expected HOST:PORT`, {
      hint: "Such as 127.0.0.1:9464, or 9464 alone for the same.",
    });
  }
  return { host: host.replaceAll(/[[\]]/g, ""), port: Number(port) };
}

/**
 * A web page can point a domain of its own to this machine and read the answers in a visitor's browser. So a monitor on the
 * loopback interface answers to loopback names only. Another one answers to its own name, addresses, and names without a
 * dot, such as a container's: no page has one of these.
 */
function mayAsk(hostname: string, listening: string): boolean {
  if (isLoopback(hostname)) return true;
  if (isLoopback(listening)) return false;
  return hostname === listening.toLowerCase() || /^(\d{1,3}(\.\d{1,3}){3}|\[[\da-f:.]+\]|[^.]+)$/i.test(hostname);
}
