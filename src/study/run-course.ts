import type { RunEvent } from "../federation/events.ts";

/** The part of a client's records that trains. */
export interface CutRecords {
  readonly records: number;
  readonly truncated: number;
  readonly dropped: number;
}

/** A closed round as the coordinator saw it. */
export interface CourseRound {
  readonly round: number;
  /** The clients that were asked to train. */
  readonly asked: readonly string[];
  /** The clients whose updates are in the round. */
  readonly accepted: readonly string[];
  /** The reason for each client whose update is not in it. */
  readonly refused: ReadonlyMap<string, string>;
}

/** The facts of a run that only its events have. */
export interface RunCourse {
  /** Records of each client that trains; empty for a run whose events are lost. */
  readonly records: ReadonlyMap<string, number>;
  /** The process of this folder read the records of these clients. Empty for a coordinator. */
  readonly read: ReadonlyMap<string, CutRecords>;
  /** The closed rounds, in order. */
  readonly rounds: readonly CourseRound[];
  /** Number of times that the run was continued after a stop. */
  readonly continued: number;
}

/** Folds a run's events, which may come again after a stop, into its course. */
export class CourseFold {
  readonly #records = new Map<string, number>();
  readonly #read = new Map<string, CutRecords>();
  readonly #rounds = new Map<number, Omit<CourseRound, "accepted"> & { readonly accepted?: readonly string[] }>();
  #continued = 0;

  apply(event: RunEvent): void {
    switch (event.type) {
      case "run-start":
        for (const { name, records } of event.clients) this.#records.set(name, records);
        break;
      case "run-resume":
        this.#continued++;
        break;
      case "data-report":
        this.#read.set(event.client, event);
        break;
      case "round-start":
        this.#change(event.round, { asked: event.clients });
        break;
      case "client-refused":
        this.#change(event.round, {
          refused: new Map([...(this.#rounds.get(event.round)?.refused ?? []), [event.client, event.reason]]),
        });
        break;
      case "round-end":
        this.#change(event.round, { accepted: event.accepted });
        break;
      default:
    }
  }

  course(): RunCourse {
    const rounds = [...this.#rounds.values()]
      .flatMap(({ accepted, ...round }) => (accepted === undefined ? [] : [{ ...round, accepted }]))
      .sort((a, b) => a.round - b.round);
    return { records: this.#records, read: this.#read, rounds, continued: this.#continued };
  }

  #change(round: number, change: Partial<CourseRound>): void {
    const before = this.#rounds.get(round) ?? { round, asked: [], refused: new Map() };
    this.#rounds.set(round, { ...before, ...change });
  }
}

/** The clients that sent nothing before the round was closed. */
export function lateClients({ asked, accepted, refused }: CourseRound): readonly string[] {
  return asked.filter((client) => !accepted.includes(client) && !refused.has(client));
}
