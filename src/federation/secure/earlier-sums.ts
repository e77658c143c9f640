import type { MemberStore } from "../../store/store.ts";
import { readMessage } from "../protocol/cells.ts";
import { keys } from "../protocol/keys.ts";
import { roundClose, type RoundOpening, roundOpening } from "../protocol/messages.ts";
import { ProtocolFault } from "./checks.ts";
import type { OwnSecretStore } from "./own-secrets.ts";

/**
 * Refuses to open a second sum over nearly the same clients from the same adapter: the difference of the two would be what
 * the few learnt that are in one of them alone. `fewest`: clients by which two sums have to differ, if they do.
 *
 * @throws ProtocolFault
 */
export async function refuseNearlyTheSame(
  store: MemberStore,
  secrets: OwnSecretStore,
  { round, adapter }: RoundOpening,
  clients: readonly string[],
  fewest: number,
): Promise<void> {
  for (let earlier = round - 1; earlier > 0; earlier--) {
    const opening = await readMessage(store, keys.opening(earlier), roundOpening);
    if (opening?.adapter !== adapter) return;
    const answered = await secrets.pinned(earlier, "answered");
    const close = await readMessage(store, keys.close(earlier), roundClose);
    if (answered === undefined || close === undefined) continue;
    const before = new Set((JSON.parse(answered) as { clients: string[] }).clients);
    const apart = clients.filter((name) => !before.has(name)).length;
    const difference = apart + before.size - (clients.length - apart);
    if (difference === 0 || difference >= fewest) continue;
    throw new ProtocolFault(
      `round ${earlier} began with the same adapter, and its clients differ by ${difference}: the two sums would tell of ${difference} clients, expected ${fewest} or more`,
    );
  }
}
