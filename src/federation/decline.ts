import type { MemberStore } from "../store/store.ts";
import { createMessage, isWritten } from "./protocol/cells.ts";
import { keys } from "./protocol/keys.ts";
import { declining, leaving } from "./protocol/messages.ts";

/** Says that a client does not take part, and why. The coordinator then does not wait for it; it may join later. */
export async function decline(store: MemberStore, client: string, reason: string): Promise<void> {
  await createMessage(store, keys.decline(client), declining, { client, reason });
}

/** Takes a client out of later rounds, for good, and out of a run that is still gathering. An update that it has sent counts. */
export async function leave(store: MemberStore, client: string): Promise<void> {
  await createMessage(store, keys.leave(client), leaving, { client });
  if (!(await isWritten(store, keys.member(client)))) await decline(store, client, "it has left the federation");
}
