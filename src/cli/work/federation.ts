import type { NatsConnection } from "@nats-io/transport-node";
import { UserError } from "../../diagnostics/user-error.ts";
import { connectAs, pushOver, type PushToken } from "../../node/federation/accounts.ts";
import { type Federation, FEDERATION_FOLDER, openFederation } from "../../node/federation/federation-folder.ts";
import { localConnection, readServerAddress } from "../../node/federation/server-address.ts";
import { type Flag, text } from "../flag.ts";

/** Flag of every command on an existing federation. */
export const federationFlag: Flag<string> = text("<folder>", "folder of the federation").default(FEDERATION_FOLDER);

type Place = Parameters<typeof connectAs>[2];

export interface OpenedFederation {
  readonly federation: Federation;
  /** Gives changes to the running server; undefined where none was reached. */
  readonly push: PushToken | undefined;
  /** Where the running server is; undefined where none was reached. */
  readonly place: Place | undefined;
  /** Says why no server was reached, and when a change holds. Undefined where one was. */
  readonly later: string | undefined;
}

/**
 * Does work on a federation, with a connection to its server if that runs: the server that was started on this machine last,
 * or else the one of the invitations. Without one the work is done all the same: the next server has it from its start.
 */
export async function withFederation<T>(folder: string, work: (opened: OpenedFederation) => Promise<T>): Promise<T> {
  const federation = await openFederation(folder);
  const { system, place, problem } = await connectSystem(federation);
  try {
    const later = system === undefined ? `${problem}: it is refused from the next start of the server on` : undefined;
    return await work({ federation, push: system && pushOver(system), place, later });
  } finally {
    await system?.close();
  }
}

async function connectSystem(
  federation: Federation,
): Promise<{ readonly system?: NatsConnection; readonly place?: Place; readonly problem?: string }> {
  const address = await readServerAddress(federation);
  const addresses = await federation.addresses();
  const places = [
    ...(address === undefined ? [] : [() => localConnection(address)]),
    ...(addresses === undefined ? [] : [async () => ({ servers: addresses.servers, ca: addresses.ca })]),
  ];
  let problem = "no server is running";
  for (const placeOf of places) {
    try {
      const place = await placeOf();
      return { system: await connectAs(federation, "system", place), place };
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      // Not only an absent server: one with another federation, or with a certificate that is not accepted.
      if (error.kind !== "storage") problem = error.message;
    }
  }
  return { problem };
}
