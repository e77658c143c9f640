import { statfsSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../diagnostics/user-error.ts";
import type { ConnectOptions } from "./connect.ts";
import type { Federation } from "./federation-folder.ts";
import { type NatsServer, type NatsServerOptions, startNatsServer } from "./nats-server.ts";
import { localConnection } from "./server-address.ts";

/** The server of a federation, as its coordinator reaches it. */
export interface HostedServer {
  readonly connection: Omit<ConnectOptions, "credentials" | "name">;
  /** Looks for the reason of a server that does not answer. @throws UserError("storage") where its disk is full. */
  readonly check?: (() => void) | undefined;
  /** Ends the server where this process started it. */
  stop(): Promise<void>;
}

/** Bytes left on a disk that a server does not go on with: it turns its streams off at the first write that fails. */
const FULL_BELOW = 1_000_000;

/** Pauses before a server that ended by itself is started again, milliseconds. After the last it is given up. */
const PAUSES_MS = [200, 1000, 5000, 20_000, 60_000];

/**
 * Starts the server as a child, and starts it again should it end by itself.
 *
 * @param onNote is told of an end and of a new start.
 */
export async function startHostedServer(
  federation: Federation,
  options: NatsServerOptions,
  onNote: (note: string) => void,
): Promise<HostedServer> {
  let server = await startNatsServer(federation, options);
  let stopping = false;
  const watch = async (running: NatsServer): Promise<void> => {
    const reason = await running.ended;
    for (const pause of PAUSES_MS) {
      if (stopping) return;
      onNote(`nats-server ended (${reason || "no reason given"}); it is started again`);
      await sleep(pause);
      if (stopping) return;
      try {
        server = await startNatsServer(federation, options);
      } catch (error) {
        onNote(`nats-server does not start: ${error instanceof Error ? error.message : String(error)}`);
        continue;
      }
      if (stopping) await server.stop();
      void watch(server);
      return;
    }
    onNote("nats-server was given up; stop this command and run it again");
  };
  void watch(server);
  const folder = path.join(federation.folder, "server");
  return {
    connection: { ...(await localConnection(server.address)), proxy: false },
    check() {
      const { bavail, bsize } = statfsSync(folder);
      if (bavail * bsize >= FULL_BELOW) return;
      throw new UserError(
        "storage",
        `the disk of the server is full: ${folder} has ${Math.floor((bavail * bsize) / 1000)} kB left`,
        { hint: "Free some space, then run the same command again to continue: members wait for it." },
      );
    },
    async stop() {
      stopping = true;
      await server.stop();
    },
  };
}
