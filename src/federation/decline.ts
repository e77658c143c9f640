import type { MemberStore } from "../store/store.ts";
import { createMessage } from "./protocol/cells.ts";
import { keys } from "./protocol/keys.ts";
import { declining } from "./protocol/messages.ts";

/** Says that a client does not take part, and why. The coordinator then does not wait for it; it may join later. */
export async function decline(store: MemberStore, client: string, reason: string): Promise<void> {
  await createMessage(store, keys.decline(client), declining, { client, reason });
}
