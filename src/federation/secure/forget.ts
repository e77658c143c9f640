import { isWritten, readMessage } from "../protocol/cells.ts";
import { readSubmission } from "../decision.ts";
import { keys } from "../protocol/keys.ts";
import { roundClose, roundOpening } from "../protocol/messages.ts";
import { remaining } from "../protocol/secure-messages.ts";
import type { Store } from "../../store/store.ts";

/**
 * Deletes the masked vectors of a closed round that its close does not name: of clients that were late, and of a failed round.
 * A refused submission may name any blob, such as the server's state, so what it names stays.
 */
export async function forgetMasked(store: Store, round: number): Promise<void> {
  const opening = await readMessage(store, keys.opening(round), roundOpening);
  const close = await readMessage(store, keys.close(round), roundClose);
  const survivors = await readMessage(store, keys.survivors(round), remaining);
  if (opening === undefined || close === undefined) return;
  const accepted = new Set(close.accepted.map(({ client }) => client));
  const looked = new Set(survivors?.clients);
  for (const client of opening.clients) {
    if (accepted.has(client) || !looked.has(client)) continue;
    if (!(await isWritten(store, keys.update(round, client)))) continue;
    const found = await readSubmission(store, round, client);
    if (found !== undefined && "update" in found) await store.forget([found.update], client);
  }
}
