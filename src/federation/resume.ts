import { UserError } from "../diagnostics/user-error.ts";
import type { CoordinatorOptions } from "./coordinator-options.ts";
import { earlyStop, evaluationsBefore } from "./early-stop.ts";
import type { RunEvent } from "./events.ts";
import type { MemberStore, Store } from "../store/store.ts";
import { isWritten, readHead, readMessage } from "./protocol/cells.ts";
import { keys } from "./protocol/keys.ts";
import { roundOpening } from "./protocol/messages.ts";

/**
 * Tells which events of an interrupted run still hold. The continued log is then that of an undisturbed run, but for
 * `run-resume` and seconds. An event does not hold where the store lacks its work, which is done and reported again: a
 * client's training without a submission, an evaluation without its cell, the end of a round that was not committed.
 * `goesOn`: the run is not over, so an end event in its log (an early stop under other settings) is dropped.
 */
export async function eventsThatHold(store: MemberStore, goesOn = false): Promise<(event: RunEvent) => boolean> {
  const finished = (await readHead(store))?.head.round ?? 0;
  const open = await readMessage(store, keys.opening(finished + 1), roundOpening);
  const submitted = new Set<string>();
  for (const client of open?.clients ?? []) {
    const key = keys.update(finished + 1, client);
    if (await isWritten(store, key)) submitted.add(key);
  }
  const evaluated = await isWritten(store, keys.evaluation(finished));

  return (event) => {
    if (goesOn && (event.type === "early-stop" || event.type === "run-end")) return false;
    if (!("round" in event)) return true;
    const { type } = event;
    if (
      type === "evaluation-end" ||
      type === "validation-end" ||
      type === "evaluation-withheld" ||
      type === "benchmark-end"
    ) {
      return event.round < finished || evaluated;
    }
    if (AT_OPENING.has(event.type)) return event.round <= finished + 1;
    // Of an update is told when the round is combined, not when it was submitted.
    if (event.type === "update-weighed") return event.round <= finished;
    // Of an asynchronous round the work stays in the log: what is told again is the same.
    if ("client" in event && open?.bufferSize !== undefined) return event.round <= finished + 1;
    if ("client" in event) {
      return event.round <= finished || submitted.has(keys.update(event.round, event.client));
    }
    return event.round <= finished;
  };
}

/** Events of the opening of a round, which stays once it is written. */
const AT_OPENING: ReadonlySet<RunEvent["type"]> = new Set([
  "round-start",
  "privacy-spent",
  "client-joined",
  "client-left",
]);

/**
 * Tells whether everything was done before: the last round, or a round after which `stop` ends the run. False where
 * nothing was begun.
 */
export async function isOver({
  store,
  rounds,
  evaluateEvery,
  stop,
}: Pick<CoordinatorOptions, "store" | "rounds" | "evaluateEvery" | "stop">): Promise<boolean> {
  const round = (await readHead(store))?.head.round;
  if (round === undefined || round >= rounds || stop === undefined) return round !== undefined && round >= rounds;
  return (await earlyStop(store, round, await evaluationsBefore(store, round + 1, evaluateEvery), stop)) !== undefined;
}

/** @throws UserError of kind `config` where the store holds a run of another identity. */
export async function refuseOtherRun(store: Store, identity: string): Promise<void> {
  const { head } = (await readHead(store)) ?? {};
  if (head === undefined || head.identity === identity) return;
  throw new UserError("config", `The run folder holds a run with other settings, ${head.round} rounds of it done.`, {
    hint: "Go back to the settings it was started with, or choose another run folder.",
  });
}

/** Says how many rounds an interrupted or failed run keeps. */
export function roundsKept(rounds: number): string {
  if (rounds === 0) return "no round is finished";
  return rounds === 1 ? "1 finished round is kept" : `${rounds} finished rounds are kept`;
}
