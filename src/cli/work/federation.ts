import { UserError } from "../../diagnostics/user-error.ts";
import { connectAs, pushOver, type PushToken } from "../../node/federation/accounts.ts";
import { type Federation, FEDERATION_FOLDER, openFederation } from "../../node/federation/federation-folder.ts";
import { localConnection, readServerAddress } from "../../node/federation/server-address.ts";
import { type Flag, text } from "../flag.ts";

/** Flag of every command on an existing federation. */
export const federationFlag: Flag<string> = text("<folder>", "folder of the federation").default(FEDERATION_FOLDER);

export interface OpenedFederation {
  readonly federation: Federation;
  /** Gives changes to the running server; undefined where no server runs. */
  readonly push: PushToken | undefined;
}

/**
 * Does work on a federation, with a connection to its server if that runs: the server that was started on this machine last,
 * or else the one of the invitations.
 */
export async function withFederation<T>(folder: string, work: (opened: OpenedFederation) => Promise<T>): Promise<T> {
  const federation = await openFederation(folder);
  const system = await connectSystem(federation);
  try {
    return await work({ federation, push: system && pushOver(system) });
  } finally {
    await system?.close();
  }
}

async function connectSystem(federation: Federation) {
  const address = await readServerAddress(federation);
  const addresses = await federation.addresses();
  const places = [
    ...(address === undefined ? [] : [await localConnection(federation, address)]),
    ...(addresses === undefined ? [] : [{ servers: addresses.servers, ca: addresses.ca }]),
  ];
  for (const place of places) {
    try {
      return await connectAs(federation, "system", place);
    } catch (error) {
      // No server is there. A server that refuses, or whose certificate is wrong, is a reason to stop.
      if (!(error instanceof UserError && error.kind === "storage")) throw error;
    }
  }
  return undefined;
}
