import { UserError } from "../../diagnostics/user-error.ts";
import type { Store } from "../../store/store.ts";
import { readMessage } from "../protocol/cells.ts";
import { keys } from "../protocol/keys.ts";
import { type Refusal, type RoundClose, roundClose } from "../protocol/messages.ts";

/** A round that cannot go on: too few clients are left, or their sum does not unmask. */
export class RoundFailure extends Error {
  readonly refused: readonly Refusal[];

  constructor(message: string, refused: readonly Refusal[] = []) {
    super(message);
    this.refused = refused;
  }
}

/** The failure of a round; undefined for an error that is none. A threshold that is set may be too high for those that are left. */
export function asFailure(error: unknown): RoundFailure | undefined {
  if (error instanceof RoundFailure) return error;
  return error instanceof UserError && error.kind === "config" ? new RoundFailure(error.message) : undefined;
}

/** After so many failed rounds in a row a run stops, and goes on with another round when it is started again. */
const MOST_FAILURES = 3;

/** @throws UserError of kind `training` where this is the third failed round in a row, or the sixth, … */
export async function refuseFailures(store: Store, { round, failed }: RoundClose): Promise<void> {
  if (failed === undefined) return;
  let count = 0;
  for (let at = round; at > 0; at--) {
    const close = await readMessage(store, keys.close(at), roundClose);
    if (close?.failed === undefined) break;
    count++;
  }
  if (count % MOST_FAILURES !== 0) return;
  throw new UserError("training", `${count} rounds in a row have no sum; of round ${round}: ${failed}.`, {
    hint: "See that enough clients are there for all of a round. Run the same command again to go on with the next round.",
  });
}
