import type { Groups } from "../tensor/groups.ts";
import { decodeGroups, encodeGroups } from "../store/codec.ts";
import { type Store, keySegment } from "../store/store.ts";
import { createMessage, readMessage } from "./protocol/cells.ts";
import { text } from "./protocol/check.ts";
import { keys } from "./protocol/keys.ts";
import { roundClose } from "./protocol/messages.ts";

/** PORT. The state that a client keeps for itself between rounds (SCAFFOLD's cᵢ). It never travels. */
export interface ClientMemory {
  /**
   * Returns the memory of the client's latest accepted update before `round`; `{}` where there is none. Memory of an
   * update that was refused or came too late does not count: the server never learned of it.
   */
  load(client: string, round: number): Promise<Groups>;
  /** Keeps `memory` with the update (its sha256) it belongs to. Saving the same again changes nothing. */
  save(client: string, round: number, update: string, memory: Groups): Promise<void>;
}

/**
 * Client memory in a store of the client's own, `own`; `commits` is the exchange: only memory of updates accepted there counts.
 * Cells `memory/<client>/<round>/<update>` name blobs, so a crash leaves none half written.
 */
export function clientMemory(own: Store, commits: Store): ClientMemory {
  return {
    async load(client, round) {
      const saved = (await own.list(prefix(client)))
        .map((key) => {
          const [at, update] = key.slice(prefix(client).length).split("/");
          return { key, round: Number(at), update };
        })
        .filter((memory) => memory.round < round)
        .sort((a, b) => b.round - a.round);
      for (const memory of saved) {
        const close = await readMessage(commits, keys.close(memory.round), roundClose);
        if (!close?.accepted.some((entry) => entry.client === client && entry.update === memory.update)) continue;
        const hash = (await readMessage(own, memory.key, text))!;
        return decodeGroups(await own.blob(hash), `the memory of client ${client}`);
      }
      return {};
    },
    async save(client, round, update, memory) {
      if (Object.keys(memory).length === 0) return;
      const hash = await own.putBlob(encodeGroups(memory, { kind: "memory" }));
      await createMessage(own, `${prefix(client)}${round}/${update}`, text, hash);
    },
  };
}

function prefix(client: string): string {
  return `memory/${keySegment(client)}/`;
}
