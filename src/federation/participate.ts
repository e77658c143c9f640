import type { MemberStore } from "../store/store.ts";
import type { Params } from "../tensor/params.ts";
import type { Participant, ParticipantStep } from "./participant.ts";
import { readHead } from "./protocol/cells.ts";
import { readAdapter } from "./round.ts";

/**
 * Takes part in a run that a coordinator of another process leads, with the clients of this process in turn, until the
 * run is over. Returns the number of rounds and the common adapter.
 */
export async function participate(
  store: MemberStore,
  participants: readonly Participant[],
  signal?: AbortSignal,
): Promise<{ readonly round: number; readonly adapter: Params }> {
  const watch = await store.watch("");
  try {
    for (;;) {
      signal?.throwIfAborted();
      const steps: ParticipantStep[] = [];
      for (const participant of participants) steps.push(await participant.act());
      if (steps.every((step) => step === "over")) {
        const { head } = (await readHead(store))!;
        return { round: head.round, adapter: await readAdapter(store, head.adapter) };
      }
      if (steps.every((step) => step === "idle")) await watch.next({ signal, milliseconds: IDLE_MS });
    }
  } finally {
    watch.close();
  }
}

/** A change may be missed: after this time a participant looks again. */
const IDLE_MS = 5000;
