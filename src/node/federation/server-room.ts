import type { NatsConnection } from "@nats-io/transport-node";
import { UserError } from "../../diagnostics/user-error.ts";

/** Longest wait for a server's answer, milliseconds. */
const SERVER_MS = 2000;

/** The room that each member of a federation has on its server, reserved whether or not it is used. */
export interface Room {
  readonly members: number;
  /** Bytes of one member. */
  readonly bytesEach: number;
}

/**
 * Refuses more members than the server's store has room for, before any stream is made: a server that reserves by and by would
 * refuse the last ones.
 *
 * @param system a connection of the system account. A server that does not answer it is not asked again.
 * @throws UserError("storage").
 */
export async function refuseWithoutRoom(system: NatsConnection, { members, bytesEach }: Room): Promise<void> {
  const most = await storeBytes(system);
  if (most === undefined || members * bytesEach <= most) return;
  const fits = Math.floor(most / bytesEach);
  throw new UserError(
    "storage",
    `The server has room for ${size(most)}, and ${members} members need ${size(members * bytesEach)}: ${size(bytesEach)} each, for a few updates`,
    {
      hint: `Free disk space on the machine of the server, then run the same command again. Or train with at most ${fits} members, or a smaller adapter (adapter.rank, adapter.targets).`,
    },
  );
}

/** Bytes that all streams of the server may take together: by its configuration, or three quarters of the free disk at its start. */
async function storeBytes(system: NatsConnection): Promise<number | undefined> {
  try {
    const answer = await system.request("$SYS.REQ.SERVER.PING.JSZ", "", { timeout: SERVER_MS });
    const { data } = answer.json<{ data?: { config?: { max_storage?: number } } }>();
    const most = data?.config?.max_storage;
    return most !== undefined && most > 0 ? most : undefined;
  } catch {
    return undefined;
  }
}

function size(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.ceil(bytes / 1e6)} MB`;
}
