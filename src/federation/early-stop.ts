import { evaluationDue, readEvaluation } from "./evaluation.ts";
import type { Store } from "../store/store.ts";
import { readMessage } from "./protocol/cells.ts";
import { keys } from "./protocol/keys.ts";
import { type RoundEvaluation, roundOpening } from "./protocol/messages.ts";

/** The reason for ending a run before its last round. */
export interface EarlyStop {
  readonly metric: string;
  /** Present where it was taken on validation parts. */
  readonly chosenOn?: "validation";
  /** Evaluations in a row that did not improve. */
  readonly patience: number;
  /** Only a change by more than this is an improvement. */
  readonly minDelta: number;
  /** The best of all evaluated rounds; undefined where none gave a number. */
  readonly best: { readonly round: number; readonly value: number } | undefined;
}

/** Decides by the evaluations so far alone: a resumed run decides as it did. Undefined: the run goes on. */
export type StopRule = (evaluations: readonly RoundEvaluation[]) => EarlyStop | undefined;

/** Reads the evaluations of rounds before `round`, in order. */
export async function evaluationsBefore(store: Store, round: number, every: number): Promise<RoundEvaluation[]> {
  const found: RoundEvaluation[] = [];
  for (let earlier = 0; earlier < round; earlier++) {
    if (!evaluationDue(earlier, round, every)) continue;
    const evaluation = await readEvaluation(store, earlier);
    if (evaluation !== undefined) found.push(evaluation);
  }
  return found;
}

/**
 * Tells why the run ends with this round, if it does. A round that was opened, under a rule that did not stop before it, is
 * played to its end.
 */
export async function earlyStop(
  store: Store,
  round: number,
  evaluations: readonly RoundEvaluation[],
  rule: StopRule | undefined,
): Promise<EarlyStop | undefined> {
  if (rule === undefined || evaluations.at(-1)?.round !== round) return undefined;
  const stop = rule(evaluations);
  return stop !== undefined && (await readMessage(store, keys.opening(round + 1), roundOpening)) === undefined
    ? stop
    : undefined;
}
