import { UserError } from "../diagnostics/user-error.ts";
import { cachedCells } from "../store/cached-cells.ts";
import type { CoordinatorOptions, FederationOutcome } from "./coordinator-options.ts";
import { Coordinator } from "./coordinator.ts";
import { readHead } from "./protocol/cells.ts";
import { roundsKept } from "./resume.ts";

/**
 * Coordinates a run whose participants are processes of their own, until it is over.
 *
 * @throws UserError: those of `advance`, and `interrupted` once `signal` stops it.
 */
export async function coordinate(
  given: CoordinatorOptions,
  onWaiting: (clients: readonly string[], milliseconds?: number) => void = () => undefined,
): Promise<FederationOutcome> {
  const store = cachedCells(given.store);
  const options = { ...given, store };
  const { signal } = options;
  const coordinator = new Coordinator(options);
  return interruptible(options, async () => {
    // Opened before the first look, so that an answer in between is not missed.
    const watch = await store.watch("");
    try {
      for (;;) {
        const step = await coordinator.advance();
        if (step.state === "over") return step.outcome;
        if (step.state === "moved") continue;
        onWaiting(step.clients, step.milliseconds);
        const milliseconds = Math.min(step.milliseconds ?? LOOK_AGAIN_MS, LOOK_AGAIN_MS);
        await watch.next({ signal, milliseconds });
      }
    } finally {
      watch.close();
    }
  });
}

/** A change may be missed, or the store be gone: after this time a coordinator looks again. */
const LOOK_AGAIN_MS = 5000;

/** Turns an abort by the signal into a `UserError` that says how far the run is; events are durable before. */
export async function interruptible<T>(
  { store, rounds, events, signal }: Pick<CoordinatorOptions, "store" | "rounds" | "events" | "signal">,
  action: () => Promise<T>,
): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!signal?.aborted || error !== signal.reason) throw error;
    await events.flush();
    throw interrupted((await readHead(store))?.head.round ?? 0, rounds, error);
  }
}

function interrupted(finished: number, rounds: number, cause: unknown): UserError {
  const where = finished < rounds ? `in round ${finished + 1}` : "after the last round";
  const updates =
    finished === 0
      ? "but the updates that clients have sent are kept"
      : "and so are the updates that clients have sent since";
  return new UserError("interrupted", `Stopped ${where}; ${roundsKept(finished)}, ${updates}.`, {
    hint: "Run the same command again to continue.",
    cause,
  });
}
