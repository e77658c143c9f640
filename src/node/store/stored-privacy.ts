import path from "node:path";
import { UserError } from "../../diagnostics/user-error.ts";
import { type RecordSpending, recordSpending } from "../../experiment/record-ledger.ts";
import { chargesIn } from "../../federation/privacy/ledger.ts";
import { type Charge, ownKeys } from "../../federation/privacy/messages.ts";
import type { RunCourse } from "../../study/run-course.ts";
import { directoryStore } from "./directory-store.ts";

/**
 * Reads the charges of a run's clients from the coordinator's own store in its folder, and compares them with who was asked.
 *
 * @throws UserError of kind `storage` where a client was asked to train and there is no charge of it: the ledger is not whole.
 */
export async function readCharges(folder: string, { rounds }: Pick<RunCourse, "rounds">): Promise<readonly Charge[]> {
  const charges = await chargesIn(directoryStore(path.join(folder, "private")));
  const paid = new Set(charges.map(({ client, round }) => ownKeys.charge(client, round)));
  for (const { round, asked } of rounds) {
    const free = asked.find((client) => !paid.has(ownKeys.charge(client, round)));
    if (free === undefined) continue;
    throw new UserError(
      "storage",
      `The ledger in ${path.join(folder, "private")} has no charge of client ${free} for round ${round}, and it was asked to train.`,
      {
        hint: "Put the folder private/ back from a copy. Without it nobody can say what was spent.",
      },
    );
  }
  return charges.sort((a, b) => a.round - b.round || (a.client < b.client ? -1 : 1));
}

/** Reads what the records of each client have cost, from the clients' own store in the folder of a run or of a member. */
export function readRecordSpending(folder: string): Promise<readonly RecordSpending[]> {
  return recordSpending(directoryStore(path.join(folder, "clients")));
}
