import { overallScore, scoresBySet } from "../federation/evaluation.ts";
import type { EvaluationScore } from "../federation/protocol/messages.ts";
import type { RunCourse } from "./run-course.ts";
import type { StoredRound, StoredRun, StoredScores } from "./stored-run.ts";

/** A run as its page shows it. */
export interface RunFigures {
  readonly run: StoredRun;
  readonly course: RunCourse;
  /** Number of compared runs that differ from this one in their seed only, this one included. */
  readonly seeds: number;
  /** True if the run is compared with runs of the same algorithm at other learning rates. */
  readonly tuned: boolean;
}

/** The figures of a run. A round that was closed after the run's last measurements is left out of its course. */
export function runFigures(
  run: StoredRun,
  course: RunCourse,
  { seeds = 1, tuned = false }: Partial<Pick<RunFigures, "seeds" | "tuned">> = {},
): RunFigures {
  const last = run.rounds.at(-1)?.round ?? 0;
  return { run, course: { ...course, rounds: course.rounds.filter(({ round }) => round <= last) }, seeds, tuned };
}

/** A held-out loss over all sets. */
export interface OverallLoss {
  readonly round: number;
  readonly loss: number;
}

/** One score for each held-out set: of the common adapter or, where clients keep their own, of each set's client. */
export function scoresOfRound({ heldOut, personal }: StoredRound): EvaluationScore[] {
  const scores = (sets: StoredScores, client: string | undefined): EvaluationScore[] =>
    [...sets].map(([set, { records = 0, count, values }]) => {
      const { loss = Number.NaN, ...metrics } = Object.fromEntries(values);
      return { set, client, records, supervisedTokens: 0, loss, count: count ?? records, metrics };
    });
  return scoresBySet([
    ...scores(heldOut, undefined),
    ...[...personal].flatMap(([client, sets]) => scores(sets, client)),
  ]);
}

/** The held-out loss over all sets after each evaluated round, weighted as the terminal weights it. */
export function overallLosses({ rounds }: StoredRun): OverallLoss[] {
  return rounds.flatMap((round) => {
    const scores = scoresOfRound(round);
    return scores.length === 0 ? [] : [{ round: round.round, loss: overallScore(scores).loss }];
  });
}

/** A client's way through its own records. */
export interface Passes {
  readonly client: string;
  readonly records: number;
  /** Times that the client went through its records, over all rounds. */
  readonly passes: number;
}

/** The passes of each client whose records are known. */
export function passesOf({ run, course }: Pick<RunFigures, "run" | "course">): Passes[] {
  return [...course.records].flatMap(([client, records]) => {
    const examples = run.rounds.reduce((sum, { clients }) => sum + (clients.get(client)?.examples ?? 0), 0);
    return records === 0 || examples === 0 ? [] : [{ client, records, passes: examples / records }];
  });
}
