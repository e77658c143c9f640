import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../diagnostics/user-error.ts";
import { NotReached } from "../../node/federation/connection-errors.ts";
import type { Work } from "./work.ts";

/** Time until a server that is not there is tried again, milliseconds. */
const TRY_AGAIN_MS = 2000;

/** Does work that needs a server, again and again until it is there. @throws UserError of kind `interrupted` at Ctrl-C. */
export async function untilReached<T>({ status, signal, unlessStopped }: Work, work: () => Promise<T>): Promise<T> {
  let noted = "";
  for (;;) {
    try {
      return await unlessStopped(work());
    } catch (error) {
      if (signal.aborted) throw stopped(error);
      if (!(error instanceof NotReached)) throw error;
      if (error.message !== noted) status.note(`${error.message}; trying again until it is there`);
      noted = error.message;
      await unlessStopped(sleep(TRY_AGAIN_MS)).catch(() => undefined);
    }
  }
}

export function stopped(cause: unknown): UserError {
  return new UserError("interrupted", "Stopped; everything that was sent is kept.", {
    hint: "Run the same command again to continue.",
    cause,
  });
}
