import { UserError } from "../../diagnostics/user-error.ts";
import { isLoopback } from "../../serving/access.ts";

/** The certificate of a listener and its key: paths of PEM files. */
export interface TlsFiles {
  readonly certificate: string;
  readonly key: string;
}

/** One address that a server listens on. */
export interface Listener {
  /** Default: 127.0.0.1, so that only this machine reaches it. */
  readonly host?: string | undefined;
  readonly port: number;
  /** Needed where other machines reach the listener. */
  readonly tls?: TlsFiles | undefined;
}

export interface WebsocketListener extends Listener {
  /** Pages that may connect from a browser, such as `https://app.example.org`. Default: none. */
  readonly allowedOrigins?: readonly string[] | undefined;
}

export interface ServerConfig {
  /** Folder of streams, tokens and the log. */
  readonly folder: string;
  readonly listener: Listener;
  readonly websocket?: WebsocketListener | undefined;
  readonly operatorJwt: string;
  readonly systemAccount: string;
  /** Tokens that the server has from its start, by account. They replace what it stored. */
  readonly accounts: ReadonlyMap<string, string>;
  /** True from server 2.10 on: data is on the disk before it is acknowledged. Older servers refuse the setting. */
  readonly syncAlways: boolean;
  /** Bytes of all streams together. Default: what the server finds fit for the disk. */
  readonly maxStoreBytes?: number | undefined;
}

/** Seconds for a login. After a second one that was too late a client gives up; slow lines and busy machines need more than 2. */
const LOGIN_S = 30;

/** Seconds until a member that reads nothing is cut off: it gets over a line that is down for half a minute. */
const WRITE_S = 60;

/** The largest message, in the server's words. */
const MAX_PAYLOAD = "4MB";

/** Has the number of the server's process, in the server's folder. */
export const PID_FILE = "server.pid";

export const LOOPBACK = "127.0.0.1";

/**
 * Writes the configuration of a nats-server: operator mode, every account by its token. There is no user without a login and
 * no monitoring port.
 *
 * @throws UserError("config") for a listener without TLS that other machines reach.
 */
export function serverConfig(config: ServerConfig): string {
  const { folder, listener, websocket, operatorJwt, systemAccount, accounts, syncAlways, maxStoreBytes } = config;
  const at = (name: string): string => quoted(`${folder}/${name}`);
  return [
    "server_name: openfedllm",
    ...listenerLines(listener),
    `max_payload: ${MAX_PAYLOAD}`,
    `authorization { timeout: ${LOGIN_S} }`,
    `write_deadline: "${WRITE_S}s"`,
    `log_file: ${at("server.log")}`,
    "logfile_size_limit: 16MB",
    `pid_file: ${at(PID_FILE)}`,
    ...block("jetstream", [
      `store_dir: ${at("jetstream")}`,
      "max_memory_store: 64MB",
      ...(maxStoreBytes === undefined ? [] : [`max_file_store: ${maxStoreBytes}`]),
      ...(syncAlways ? ["sync_interval: always"] : []),
    ]),
    ...(websocket === undefined ? [] : block("websocket", websocketLines(websocket))),
    ...block("resolver", ["type: full", `dir: ${at("accounts")}`, "allow_delete: true", 'interval: "2m"']),
    operatorConfig({ operatorJwt, systemAccount, accounts }),
  ].join("\n");
}

/** Writes the part of a configuration that makes a nats-server that of a federation. It has no secret. */
export function operatorConfig({
  operatorJwt,
  systemAccount,
  accounts,
}: Pick<ServerConfig, "operatorJwt" | "systemAccount" | "accounts">): string {
  return [
    `operator: ${operatorJwt}`,
    `system_account: ${systemAccount}`,
    ...block(
      "resolver_preload",
      [...accounts].map(([account, jwt]) => `${account}: ${jwt}`),
    ),
    "",
  ].join("\n");
}

function listenerLines({ host = LOOPBACK, port, tls }: Listener): string[] {
  if (tls === undefined && !isLoopback(host)) {
    throw new UserError("config", `a server that listens on ${host} needs TLS, and no certificate is given`, {
      hint: "Give a certificate and its key, or listen on 127.0.0.1 behind a proxy that has one.",
    });
  }
  return [`host: ${quoted(host)}`, `port: ${port}`, ...(tls === undefined ? [] : block("tls", tlsLines(tls)))];
}

function websocketLines({ allowedOrigins = [], ...listener }: WebsocketListener): string[] {
  return [
    ...listenerLines(listener),
    ...(listener.tls === undefined ? ["no_tls: true"] : []),
    "compression: false",
    'handshake_timeout: "5s"',
    // Programs that are no browser send no origin and may always connect.
    allowedOrigins.length === 0
      ? "same_origin: true"
      : `allowed_origins: [${allowedOrigins.map((origin) => quoted(origin)).join(", ")}]`,
  ];
}

function tlsLines({ certificate, key }: TlsFiles): string[] {
  return [`cert_file: ${quoted(certificate)}`, `key_file: ${quoted(key)}`, "timeout: 15"];
}

function block(name: string, lines: readonly string[]): string[] {
  return [`${name} {`, ...lines.map((line) => `  ${line}`), "}"];
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
