import { Answers, timeLeft } from "../answers.ts";
import type { CoordinatorOptions } from "../coordinator-options.ts";
import type { Membership } from "../membership.ts";
import type { RoundOpening } from "../protocol/messages.ts";

/** Clients that a phase waits for, and how long. */
export interface Waiting {
  readonly state: "waiting";
  readonly clients: readonly string[];
  readonly milliseconds: number | undefined;
}

export interface PhaseOptions {
  readonly options: Pick<CoordinatorOptions, "store" | "extendDeadline">;
  readonly membership: Membership;
  readonly opening: RoundOpening;
}

/** A phase of a round: clients that are to answer a cell. Its deadline is that of a round, from when this process saw it. */
export class Phase {
  readonly #options: PhaseOptions;
  readonly #answers: Answers;

  constructor(given: PhaseOptions, clients: readonly string[], prefix: string, keyOf: (client: string) => string) {
    this.#options = given;
    this.#answers = new Answers(given.options.store, clients, prefix, keyOf);
  }

  /** Those that have answered, whether or not it can be used. */
  get arrived(): readonly string[] {
    return this.#answers.arrived;
  }

  /** Looks once. Undefined where there is nobody, or no time, to wait for. */
  async wait(fewest: number): Promise<Waiting | undefined> {
    const { options, membership, opening } = this.#options;
    await this.#answers.look();
    const { missing, arrived, seconds } = this.#answers;
    const gone = missing.length === 0 ? new Set() : await membership.gone();
    const clients = missing.filter((client) => !gone.has(client));
    if (clients.length === 0) return undefined;
    const patience = { fewest, deadlineSeconds: opening.deadlineSeconds, extensions: options.extendDeadline };
    const milliseconds = timeLeft(seconds, arrived.length, patience);
    return milliseconds === 0 ? undefined : { state: "waiting", clients, milliseconds };
  }
}
