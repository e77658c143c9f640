import { mkdir, readFile, stat } from "node:fs/promises";
import { totalmem } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../diagnostics/user-error.ts";
import { writeAtomically } from "../store/durable-file.ts";
import { absentAs, guarded } from "../store/durable-folder.ts";
import { FolderInUse, lockFolder } from "../store/folder-lock.ts";
import { accountTokens } from "./accounts.ts";
import type { EnvironmentVariables } from "./environment.ts";
import type { Federation } from "./federation-folder.ts";
import { checkExposure, findNatsServer, isAtLeast } from "./nats-program.ts";
import { removeServerAddress, type ServerAddress, writeServerAddress } from "./server-address.ts";
import { type Listener, LOOPBACK, PID_FILE, serverConfig, type WebsocketListener } from "./server-config.ts";
import { GRACE_MS, startWatched } from "./watched-child.ts";

/** Time that a server has to be ready, milliseconds. */
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
  const unlock = await guarded(config, "write", async () => {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const unlocking = lockServer(folder);
    await earlierServerEnded(path.join(folder, PID_FILE));
    await writeAtomically(config, text, 0o600);
    return unlocking;
  });
  const from = await absentAs(0, async () => (await stat(log)).size);
  const child = startWatched(program.path, ["-c", config], {
    GOMEMLIMIT: `${Math.round(totalmem() / 2 / 1024 / 1024)}MiB`,
    ...env,
  });
  const logged = async (): Promise<string> => {
    const bytes = await absentAs<Uint8Array>(new Uint8Array(), () => readFile(log));
    // A log that was begun anew is shorter than before.
    return new TextDecoder().decode(bytes.subarray(bytes.length < from ? 0 : from)) + child.said();
  };
  const ended = child.ended.then(async () => {
    await removeServerAddress(federation);
    unlock();
    return lastLines(await logged());
  });
  const stop = async (): Promise<void> => {
    await child.stop();
    await ended;
  };

  try {
    await ready(logged, child.isOver);
  } catch (error) {
    const why = child.isOver() ? endReason(await logged(), listener, websocket) : error;
    await stop();
    throw why;
  }
  const address = localAddress(listener);
  await writeServerAddress(federation, address);
  return { address, version: program.version.join("."), ended, stop };
}

/** Two servers on one folder would destroy each other's streams. */
function lockServer(folder: string): () => void {
  try {
    return lockFolder(folder);
  } catch (error) {
    if (!(error instanceof FolderInUse)) throw error;
    throw new UserError("config", "another process runs the server of this federation", {
      hint: `Stop it first. If there is no such process, remove ${path.join(folder, "lock")}.`,
      cause: error,
    });
  }
}

/** The server of a process that was killed ends a moment after it. */
async function earlierServerEnded(pidFile: string): Promise<void> {
  const id = Number(await absentAs("", () => readFile(pidFile, "utf8")));
  const end = performance.now() + GRACE_MS;
  while (isAlive(id) && performance.now() < end) await sleep(LOOK_AGAIN_MS);
}

function isAlive(id: number): boolean {
  try {
    // 0 would be this process's group.
    return id > 0 && process.kill(id, 0);
  } catch {
    return false;
  }
}

function localAddress({ host = LOOPBACK, port, tls }: Listener): ServerAddress {
  const reached = host === "0.0.0.0" || host === "::" ? LOOPBACK : host.replaceAll(/[[\]]/g, "");
  return {
    version: 1,
    url: `${tls === undefined ? "nats" : "tls"}://${reached.includes(":") ? `[${reached}]` : reached}:${port}`,
    ...(tls !== undefined && { certificate: path.resolve(tls.certificate) }),
  };
}

async function ready(logged: () => Promise<string>, isOver: () => boolean): Promise<void> {
  for (const end = performance.now() + READY_MS; ;) {
    if ((await logged()).includes("Server is ready")) return;
    if (isOver() || performance.now() > end) {
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
