import { spawn } from "node:child_process";
import { mkdir, readFile, stat } from "node:fs/promises";
import { totalmem } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../diagnostics/user-error.ts";
import { writeAtomically } from "../store/durable-file.ts";
import { absentAs, guarded } from "../store/durable-folder.ts";
import { accountTokens } from "./accounts.ts";
import type { EnvironmentVariables } from "./environment.ts";
import type { Federation } from "./federation-folder.ts";
import { checkExposure, findNatsServer, isAtLeast } from "./nats-program.ts";
import { WATCHER } from "./nats-watcher.ts";
import { type Listener, LOOPBACK, serverConfig, type WebsocketListener } from "./server-config.ts";
import { writeServerAddress, removeServerAddress, type ServerAddress } from "./server-address.ts";

/** Time that a server has to end by itself, and one that starts has to be ready, milliseconds. */
const GRACE_MS = 10_000;
const READY_MS = 60_000;
const LOOK_AGAIN_MS = 20;

/** Lines of the log that an error message shows. */
const SHOWN_LINES = 3;

export interface NatsServerOptions {
  /** Default: 127.0.0.1:4222. */
  readonly listener?: Partial<Listener> | undefined;
  readonly websocket?: WebsocketListener | undefined;
  readonly maxStoreBytes?: number | undefined;
  /** True: listens where other machines reach it, though the server's version has known security faults. */
  readonly allowOutdatedServer?: boolean | undefined;
  readonly env?: EnvironmentVariables | undefined;
}

export interface NatsServer {
  /** The way for processes of this machine that have the federation's folder. */
  readonly address: ServerAddress;
  readonly version: string;
  /** Resolves with the reason once the server has ended, whatever ended it. */
  readonly ended: Promise<string>;
  /** Asks the server to end and waits for it. */
  stop(): Promise<void>;
}

/**
 * Starts the federation's nats-server as a child of this process. It has every account from the start, and it ends with this
 * process, however that ends.
 *
 * @throws UserError("config") for a missing program, an outdated one that others would reach, a port in use, or a
 * configuration that the server refuses.
 */
export async function startNatsServer(federation: Federation, options: NatsServerOptions = {}): Promise<NatsServer> {
  const { websocket, maxStoreBytes, allowOutdatedServer = false, env = process.env } = options;
  const listener: Listener = { host: LOOPBACK, port: 4222, ...options.listener };
  const program = await findNatsServer(env);
  checkExposure(program, [listener, ...(websocket === undefined ? [] : [websocket])], allowOutdatedServer);
  const folder = path.resolve(federation.folder, "server");
  const config = path.join(folder, "server.conf");
  const log = path.join(folder, "server.log");
  const text = serverConfig({
    folder,
    listener,
    websocket,
    operatorJwt: federation.facts.operatorJwt,
    systemAccount: federation.facts.accounts.system,
    accounts: await accountTokens(federation),
    syncAlways: isAtLeast(program, 2, 10),
    maxStoreBytes,
  });
  await guarded(config, "write", async () => {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeAtomically(config, text, 0o600);
  });
  const from = await absentAs(0, async () => (await stat(log)).size);

  const child = spawn(process.execPath, ["-e", WATCHER, String(GRACE_MS), program.path, "-c", config], {
    // Its own group: Ctrl-C in the terminal reaches this process alone, which then ends its work and the server.
    detached: true,
    stdio: ["pipe", "ignore", "pipe"],
    env: { GOMEMLIMIT: `${Math.round(totalmem() / 2 / 1024 / 1024)}MiB`, ...env },
    windowsHide: true,
  });
  let said = "";
  child.stderr.on("data", (chunk) => (said = (said + String(chunk)).slice(-4000)));
  child.stdin.on("error", () => {});
  let isOver = false;
  const over = new Promise<void>((resolve) => {
    child.on("error", (error) => (said += error.message));
    child.on("close", () => {
      isOver = true;
      resolve();
    });
  });
  const logged = async (): Promise<string> => {
    const bytes = await absentAs<Uint8Array>(new Uint8Array(), () => readFile(log));
    // A log that was begun anew is shorter than before.
    return new TextDecoder().decode(bytes.subarray(bytes.length < from ? 0 : from));
  };
  const stop = async (): Promise<void> => {
    child.stdin.end();
    await over;
    await removeServerAddress(federation);
  };

  try {
    await ready(logged, () => isOver);
  } catch (error) {
    const why = isOver ? endReason(`${await logged()}${said}`, listener, websocket) : error;
    await stop();
    throw why;
  }
  const scheme = listener.tls === undefined ? "nats" : "tls";
  const host = listener.host === "0.0.0.0" || listener.host === "::" ? LOOPBACK : (listener.host ?? LOOPBACK);
  const address: ServerAddress = {
    version: 1,
    url: `${scheme}://${host.includes(":") ? `[${host.replaceAll(/[[\]]/g, "")}]` : host}:${listener.port}`,
    ...(listener.tls !== undefined && { certificate: path.resolve(listener.tls.certificate) }),
  };
  await writeServerAddress(federation, address);
  return {
    address,
    version: program.version.join("."),
    ended: over.then(async () => lastLines(`${await logged()}${said}`)),
    stop,
  };
}

async function ready(logged: () => Promise<string>, isOver: () => boolean): Promise<void> {
  for (const end = Date.now() + READY_MS; ;) {
    if ((await logged()).includes("Server is ready")) return;
    if (isOver() || Date.now() > end) {
      throw new UserError("config", `nats-server was not ready within ${READY_MS / 1000} seconds`, {
        hint: "Run the same command again. A server with much data on a slow disk needs longer.",
      });
    }
    await sleep(LOOK_AGAIN_MS);
  }
}

function endReason(log: string, ...listeners: readonly (Listener | undefined)[]): UserError {
  if (log.includes("address already in use")) {
    const inUse = listeners.find((listener) => listener !== undefined && log.includes(`:${listener.port}`));
    return new UserError(
      "config",
      `port ${inUse?.port ?? ""} of ${inUse?.host ?? LOOPBACK} is in use by another program`,
      {
        hint: "Stop the other program, perhaps a server of an earlier command, or choose another port.",
      },
    );
  }
  return new UserError("config", `nats-server ended at once: ${lastLines(log)}`, {
    hint: "Correct what the line names, then run the same command again.",
  });
}

function lastLines(log: string): string {
  const lines = log.split("\n").filter((line) => line.trim() !== "");
  const fatal = lines.filter((line) => line.includes("[FTL]") || line.includes("[ERR]"));
  return (fatal.length > 0 ? fatal : lines).slice(-SHOWN_LINES).join(" / ");
}
