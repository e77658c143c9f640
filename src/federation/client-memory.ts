import { UserError } from "../diagnostics/user-error.ts";
import type { Groups } from "../tensor/groups.ts";
import { decodeGroups, encodeGroups } from "../store/codec.ts";
import { BlobError, keySegment, type MemberStore, type Store } from "../store/store.ts";
import type { HeldAdapters } from "./downlink.ts";
import { createMessage, readMessage } from "./protocol/cells.ts";
import { text } from "../store/check.ts";
import { keys } from "./protocol/keys.ts";
import { roundClose } from "./protocol/messages.ts";

/** PORT. The state that a client keeps for itself between rounds (SCAFFOLD's cᵢ). It never travels. */
export interface ClientMemory extends HeldAdapters {
  /**
   * Returns the memory of the client's latest accepted update before `round`; `{}` where there is none. Memory of an
   * update that was refused or came too late does not count: the server never learned of it.
   *
   * @throws UserError of kind `data` where the update was accepted and its memory is not here.
   */
  load(client: string, round: number): Promise<Groups>;
  /** Rounds between the close that took the client's latest accepted update and `round`; 0 where there is none. */
  missed(client: string, round: number): Promise<number>;
  /** Keeps `memory` with the update (its sha256) it belongs to. Saving the same again changes nothing. */
  save(client: string, round: number, update: string, memory: Groups): Promise<void>;
}

/**
 * Client memory in a store of the client's own, `own`; `commits` is the exchange: only memory of updates accepted there counts.
 * Cells `memory/<client>/<round>/<update>` name blobs, so a crash leaves none half written.
 */
export function clientMemory(own: Store, commits: MemberStore): ClientMemory {
  /** The client's latest accepted update before a round, and the round of the close that took it. */
  const latest = async (client: string, round: number) => {
    for (let earlier = round - 1; earlier > 0; earlier--) {
      const close = await readMessage(commits, keys.close(earlier), roundClose);
      const entry = close?.accepted.find((accepted) => accepted.client === client);
      if (entry !== undefined) return { entry, closed: earlier };
    }
    return undefined;
  };
  return {
    async load(client, round) {
      const found = await latest(client, round);
      if (found === undefined) return {};
      const { entry, closed } = found;
      const answered = entry.round ?? closed;
      const hash = await readMessage(own, `${prefix(client)}${answered}/${entry.update}`, text);
      if (hash === undefined) throw lost(client, answered);
      return decodeGroups(await own.blob(hash), `the memory of client ${client}`);
    },
    async missed(client, round) {
      const found = await latest(client, round);
      return found === undefined ? 0 : round - found.closed - 1;
    },
    async save(client, round, update, memory) {
      const hash = await own.putBlob(encodeGroups(memory, { kind: "memory" }));
      await createMessage(own, `${prefix(client)}${round}/${update}`, text, hash);
    },
    async held(client, round, hash) {
      if ((await readMessage(own, heldKey(client, round), text)) !== hash) return undefined;
      try {
        return await own.blob(hash);
      } catch (error) {
        if (error instanceof BlobError) return undefined;
        throw error;
      }
    },
    async hold(client, round, adapter) {
      const earlier = (await own.list(heldPrefix(client))).filter((key) => key < heldKey(client, round - 1));
      const hash = await own.putBlob(adapter);
      await createMessage(own, heldKey(client, round), text, hash);
      const last = await readMessage(own, heldKey(client, round - 1), text);
      const old = earlier.length === 0 ? undefined : await readMessage(own, earlier.at(-1)!, text);
      if (old !== undefined && old !== hash && old !== last) await own.forget([old]);
    },
  };
}

function heldPrefix(client: string): string {
  return `held/${keySegment(client)}/`;
}

function heldKey(client: string, round: number): string {
  return `${heldPrefix(client)}${String(round).padStart(6, "0")}`;
}

function lost(client: string, round: number): UserError {
  return new UserError("data", `Client ${client} took part in round ${round}, and its memory of that is not here.`, {
    hint: "Continue with the folder (--out) that the client had then. Without it, start a new run.",
  });
}

function prefix(client: string): string {
  return `memory/${keySegment(client)}/`;
}
