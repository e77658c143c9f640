import type { Algorithm } from "../algorithms/algorithm.ts";
import type { Params } from "../tensor/params.ts";
import type { ClientMemory } from "./client-memory.ts";

/** The adapters that a round left: one for all clients, or one for each. */
export interface AdapterSet {
  /** The clients that have an adapter of their own; undefined where all share one. */
  readonly clients: readonly string[] | undefined;
  /** A client's own adapter, or the common one. Throws an Error for a client without one. */
  of(client?: string): Promise<Params>;
}

/** An adapter, and the client whose own it is; without one it is the common adapter. */
export interface OwnedAdapter {
  readonly client?: string;
  readonly adapter: Params;
}

export function commonAdapter(adapter: Params): AdapterSet {
  return { clients: undefined, of: async () => adapter };
}

/** An adapter for each of `clients`, loaded when it is asked for. */
export function ownAdapters(clients: readonly string[], load: (client: string) => Promise<Params>): AdapterSet {
  return {
    clients,
    async of(client) {
      if (client === undefined || !clients.includes(client))
        throw new Error(`no adapter of ${client ?? "all clients"}`);
      return load(client);
    },
  };
}

/** Clients of other processes keep theirs. */
export const noAdapters: AdapterSet = ownAdapters([], () =>
  Promise.reject(new Error("clients of other processes keep their adapters")),
);

/** True where each client has an adapter of its own after `round`. Before training all have the common one. */
export function keepsOwnAdapters({ ownAdapter }: Pick<Algorithm, "ownAdapter">, round: number): boolean {
  return ownAdapter !== undefined && round > 0;
}

/** The adapter that a client trains and is measured by after `round`: its own, or `common`. */
export async function adapterAfter(
  algorithm: Pick<Algorithm, "ownAdapter">,
  memory: ClientMemory,
  client: string,
  round: number,
  common: Params,
): Promise<Params> {
  if (!keepsOwnAdapters(algorithm, round)) return common;
  return algorithm.ownAdapter!({ round: round + 1, adapter: common, extra: {} }, await memory.load(client, round + 1));
}

/** Every adapter of a set, one in memory at a time. */
export async function* eachAdapter(adapters: AdapterSet): AsyncGenerator<OwnedAdapter> {
  if (adapters.clients === undefined) yield { adapter: await adapters.of() };
  else for (const client of adapters.clients) yield { client, adapter: await adapters.of(client) };
}
