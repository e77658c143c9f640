import { type AdapterSet, keepsOwnAdapters, noAdapters } from "./adapter-set.ts";
import { type Answers, timeLeft } from "./answers.ts";
import type { CoordinatorOptions, CoordinatorStep } from "./coordinator-options.ts";
import { askForScores, closeEvaluation, readAnswers } from "./evaluation.ts";
import type { Membership } from "./membership.ts";
import type { EvaluationRequest, RoundEvaluation, RunHead } from "./protocol/messages.ts";

/** The coordinator's part in evaluations, one after another. */
export class Scoring {
  readonly #options: CoordinatorOptions;
  readonly #membership: Membership;
  /** The request for scores that is open. */
  #asked: { readonly request: EvaluationRequest; readonly answers: Answers } | undefined;

  /** Takes options whose `evaluate` is there. */
  constructor(options: CoordinatorOptions, membership: Membership) {
    this.#options = options;
    this.#membership = membership;
  }

  /**
   * Asks the clients for scores after the round of a head, adds its own and stores all. Returns the step that waits, or all once
   * it is stored. `first`: the evaluation that the run began with.
   */
  async after(
    { round, adapter }: RunHead,
    adapters: AdapterSet,
    first: RoundEvaluation | undefined,
  ): Promise<Extract<CoordinatorStep, { state: "waiting" }> | RoundEvaluation> {
    const { store, algorithm, events, signal } = this.#options;
    await this.#membership.through(round);
    // A client's own adapter may answer benchmarks and the common set, whether or not it holds records out.
    const keepsOwn = keepsOwnAdapters(algorithm, round);
    const gone = await this.#membership.gone();
    if (this.#asked?.request.round !== round) {
      const asked = [...this.#membership.members.values()].filter(
        ({ client, heldOut }) => (keepsOwn || heldOut > 0) && !gone.has(client),
      );
      this.#asked = await askForScores(store, {
        round,
        adapter,
        clients: asked.map(({ client }) => client),
        ...(this.#scoresValidation(round, first) && { validation: "too" }),
      });
    }
    const { request, answers } = this.#asked;
    const { clients } = request;
    await answers.look();
    const { deadlineSeconds, minClients, extendDeadline: extensions } = this.#options;
    const fewest = Math.min(minClients, clients.length);
    const missing = answers.missing.filter((client) => !gone.has(client));
    const milliseconds = timeLeft(answers.seconds, answers.arrived.length, { fewest, deadlineSeconds, extensions });
    if (missing.length > 0 && milliseconds !== 0) return { state: "waiting", clients: missing, milliseconds };
    const arrived = new Set(answers.arrived);
    const answered = clients.filter((client) => arrived.has(client));
    const given = await readAnswers(store, round, answered, { keepsOwn, holdsAll: algorithm.data === "pooled" });
    const own = await this.#options.evaluate!({
      round,
      adapters: keepsOwn ? noAdapters : adapters,
      validation: request.validation !== undefined,
      signal,
    });
    return closeEvaluation(store, events, round, [...given, own]);
  }

  /** Rounds are compared with each other: a run whose first evaluation has no validation scores goes on without. */
  #scoresValidation(round: number, first: RoundEvaluation | undefined): boolean {
    return this.#options.scoreValidation === true && (round === 0 || first?.validation !== undefined);
  }
}
