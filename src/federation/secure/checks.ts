import { UserError } from "../../diagnostics/user-error.ts";
import { PublicKeyError } from "../../secagg/agreement.ts";
import { type Cohort, problemWithKeys } from "../../secagg/cohort.ts";
import type { SecureRules } from "../../secagg/rules.ts";
import { keySegment } from "../../store/store.ts";
import type { Refusal, RoundOpening } from "../protocol/messages.ts";
import type { KeyList, Remaining } from "../protocol/secure-messages.ts";
import { beyondRecovery, cohortOf, problemWithParts } from "./secure-cohort.ts";

/** A cell that breaks the protocol. The client says so in place of its answer, and takes no further part in the round. */
export class ProtocolFault extends Error {}

/** The cohort of a list of keys. @throws ProtocolFault where secrets cannot be shared in it */
export async function checkedCohort(
  run: string,
  opening: RoundOpening,
  list: KeyList,
  rules: SecureRules,
): Promise<Cohort> {
  const cohort = await cohortOf(run, opening, list, rules);
  const problem = await problemWithKeys(cohort.keys);
  if (problem !== undefined) throw new ProtocolFault(`the keys of ${problem.client} cannot be used: ${problem.reason}`);
  checkEnough(cohort, rules, new Set(cohort.keys.keys()), new Set());
  return cohort;
}

/** @throws ProtocolFault where too few clients are left, or one of `recoverable` could not be recovered from them */
export function checkEnough(
  cohort: Cohort,
  rules: SecureRules,
  clients: ReadonlySet<string>,
  recoverable: ReadonlySet<string>,
): void {
  const problem = problemWithParts(cohort, rules, clients);
  if (problem !== undefined) throw new ProtocolFault(problem);
  const [closed] = beyondRecovery(cohort, recoverable, clients);
  if (closed !== undefined) {
    throw new ProtocolFault(`fewer than ${cohort.threshold} of those that hold shares of ${closed} are left`);
  }
}

/** The segments of a list of clients. @throws ProtocolFault where one is not among `of`, or is there twice */
export function segmentsWithin({ clients }: Remaining, of: ReadonlySet<string>, what: string): ReadonlySet<string> {
  const segments = new Set(clients.map(keySegment));
  if (segments.size === clients.length && [...segments].every((segment) => of.has(segment))) return segments;
  throw new ProtocolFault(`the list of ${what} has clients that were not in the list before, or one twice`);
}

/** The answer, or why this client takes no further part in the round. */
export async function orRefusal<T extends object>(client: string, answer: () => Promise<T>): Promise<T | Refusal> {
  try {
    return await answer();
  } catch (error) {
    if (isFault(error)) return { client, refused: error.message };
    throw error;
  }
}

/** True where the others of a round are at fault, and this party is not. */
function isFault(error: unknown): error is Error {
  if (error instanceof ProtocolFault || error instanceof PublicKeyError) return true;
  // A threshold that is set may be too high for those that are left.
  return error instanceof UserError && error.kind === "config";
}
