import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";
import { connect, jwtAuthenticator, type NatsConnection, wsconnect } from "@nats-io/transport-node";
import { HttpsProxyAgent } from "https-proxy-agent";
import { WebSocket } from "ws";
import { UserError } from "../../diagnostics/user-error.ts";
import { type Attempt, connectionError, LoginRefused, type ServerUrl } from "./connection-errors.ts";
import type { EnvironmentVariables } from "./environment.ts";
import { proxyFor } from "./proxy.ts";
import { isLoopback } from "../../serving/access.ts";

/** Longest wait for one server, milliseconds. */
const CONNECT_MS = 20_000;
/** Pause between two attempts to connect again. */
const RECONNECT_MS = 500;
/** A connection without an answer is given up after two of these. */
const PING_MS = 20_000;

export interface ConnectOptions {
  /** Addresses in the order to try: `tls://`, `wss://`; on this machine `nats://` and `ws://` too. */
  readonly servers: readonly string[];
  readonly credentials?:
    | {
        /** A function gives the token that is valid when the connection is made again. */
        readonly jwt: string | (() => string);
        readonly seed: string;
      }
    | undefined;
  /** PEM of the authority of the server's certificate. Default: the authorities that Node knows. */
  readonly ca?: string | undefined;
  /** Address of an HTTP proxy for `wss://`. Default: that of HTTPS_PROXY. False: none. */
  readonly proxy?: string | false | undefined;
  /** PEM of the server's own certificate. No other is accepted, and this one under any name and of any authority. */
  readonly certificate?: string | undefined;
  /** Of this connection, for the server's log. */
  readonly name?: string | undefined;
  readonly inboxPrefix?: string | undefined;
  readonly env?: EnvironmentVariables | undefined;
}

/**
 * Connects to a NATS server. A lost connection is made again for ever, unless the server refuses the login. Connections of one
 * process are either all over TCP or all over WebSocket, for the client library keeps one way to connect.
 *
 * @throws UserError("config") for an address that is refused or wrong, LoginRefused, or UserError("storage") where no server is
 * reached. No message holds a secret.
 */
export async function connectNats(options: ConnectOptions): Promise<NatsConnection> {
  const urls = options.servers.map(serverUrl);
  const [first] = urls;
  if (first === undefined) throw new UserError("config", "no address of a server is given");
  const ways = [urls.filter((url) => url.isWeb === first.isWeb), urls.filter((url) => url.isWeb !== first.isWeb)];
  let failure: unknown;
  for (const servers of ways) {
    if (servers.length === 0) continue;
    try {
      return await (servers[0]!.isWeb ? overWebSocket(servers, options) : overTcp(servers, options));
    } catch (error) {
      // A server that refuses the login over one way does so over the other.
      if (error instanceof LoginRefused) throw error;
      failure ??= error;
    }
  }
  throw failure;
}

/** Checks an address. @throws UserError("config") for one that `connectNats` refuses. */
export function checkServerAddress(text: string): void {
  serverUrl(text);
}

/** Reads an address. @throws UserError("config") for one that would send data in the clear to another machine. */
function serverUrl(text: string): ServerUrl {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const [, scheme] = /^(nats|tls|ws|wss):/.exec(url?.protocol ?? "") ?? [];
  if (url === undefined || scheme === undefined || url.hostname === "") {
    throw new UserError("config", `${withoutLogin(text)} is not the address of a server`, {
      hint: "Write wss://HOST or tls://HOST:4222.",
    });
  }
  if (url.username !== "" || url.password !== "") {
    throw new UserError("config", `the address ${withoutLogin(text)} has a user or a password`, {
      hint: "Leave it out: the login comes from the invitation.",
    });
  }
  const isWeb = scheme === "ws" || scheme === "wss";
  const isEncrypted = scheme === "tls" || scheme === "wss";
  if (!isEncrypted && !isLoopback(url.hostname)) {
    throw new UserError("config", `${text} is not encrypted, and ${url.hostname} is another machine`, {
      hint: `Use ${isWeb ? "wss" : "tls"}:// with a certificate on the server.`,
    });
  }
  const port = Number(url.port) || (isWeb ? (isEncrypted ? 443 : 80) : 4222);
  return { host: url.hostname, port, isWeb, isEncrypted, text: text.replace(/\/+$/, "") };
}

function common(servers: readonly ServerUrl[], { credentials, name, inboxPrefix }: ConnectOptions) {
  return {
    servers: servers.map(({ host, port, isWeb, isEncrypted, text }) =>
      // The library would use other ports for a WebSocket address without one.
      isWeb ? (/:\d+(\/|$)/.test(text) ? text : `${isEncrypted ? "wss" : "ws"}://${host}:${port}`) : `${host}:${port}`,
    ),
    noRandomize: true,
    // Behind a firewall the addresses that a server tells of itself lead nowhere.
    ignoreClusterUpdates: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_MS,
    pingInterval: PING_MS,
    timeout: CONNECT_MS,
    ...(name !== undefined && { name }),
    ...(inboxPrefix !== undefined && { inboxPrefix }),
    ...(credentials !== undefined && {
      authenticator: jwtAuthenticator(credentials.jwt, new TextEncoder().encode(credentials.seed)),
    }),
  };
}

type Peer = Parameters<typeof checkServerIdentity>[1];

/** The part of Node's TLS options that is set here. */
function tlsOptions({ ca, certificate }: ConnectOptions, servers: readonly ServerUrl[]) {
  const authority = certificate ?? ca;
  return {
    ...(authority !== undefined && { ca: authority }),
    // The server's own certificate is known, whoever signed it.
    ...(certificate !== undefined && { allowPartialTrustChain: true }),
    checkServerIdentity(name: string, peer: Peer): Error | undefined {
      if (certificate === undefined) return checkName(name, peer, servers);
      if (new X509Certificate(certificate).raw.equals(peer.raw)) return undefined;
      return Object.assign(new Error("the server has another certificate"), { code: "ERR_TLS_CERT_ALTNAME_INVALID" });
    },
  };
}

/** The client library gives Node no name for a server with a number as its address, and Node then checks `localhost`. */
function checkName(name: string, peer: Peer, servers: readonly ServerUrl[]): Error | undefined {
  const hosts = servers.map(({ host }) => host.replaceAll(/[[\]]/g, ""));
  if (hosts.includes(name)) return checkServerIdentity(name, peer);
  const problems = hosts.filter((host) => isIP(host) !== 0).map((host) => checkServerIdentity(host, peer));
  return problems.includes(undefined) ? undefined : (problems[0] ?? checkServerIdentity(name, peer));
}

async function overTcp(servers: readonly ServerUrl[], options: ConnectOptions): Promise<NatsConnection> {
  try {
    return await connect({
      ...common(servers, options),
      ...(servers[0]!.isEncrypted && { tls: tlsOptions(options, servers) }),
    });
  } catch (error) {
    throw connectionError(error, { servers, hasCa: options.ca !== undefined });
  }
}

async function overWebSocket(servers: readonly ServerUrl[], options: ConnectOptions): Promise<NatsConnection> {
  const proxy = options.proxy === false ? undefined : proxyFor(servers[0]!, options.proxy, options.env ?? process.env);
  const attempt: Attempt = { servers, hasCa: options.ca !== undefined, proxy: proxy?.host };
  const agent = proxy === undefined ? undefined : new HttpsProxyAgent(proxy);
  agent?.on("proxyConnect", ({ statusCode }: { readonly statusCode: number }) => {
    attempt.proxyStatus = statusCode;
  });
  try {
    return await wsconnect({
      ...common(servers, options),
      wsFactory: async (address: string) => {
        const socket = new WebSocket(address, {
          ...tlsOptions(options, servers),
          ...(agent !== undefined && { agent }),
          perMessageDeflate: false,
          handshakeTimeout: CONNECT_MS,
        });
        // The client library keeps the message only.
        socket.on("error", (error) => {
          attempt.socketError = error;
        });
        return { socket: socket as never, encrypted: address.startsWith("wss:") };
      },
    });
  } catch (error) {
    throw connectionError(error, attempt);
  }
}

function withoutLogin(text: string): string {
  return text.replace(/\/\/[^@/]*@/, "//…@");
}
