import { evaluationDue } from "../../federation/evaluation.ts";
import type { EventOf, RunEvent } from "../../federation/events.ts";
import { type HeldOut, HeldOutScores } from "./held-out.ts";

/** The results of a finished round; round 0 is the evaluation before the first. */
export interface RoundResult {
  readonly round: number;
  readonly trained?: {
    readonly learningRate: number;
    readonly accepted: number;
    readonly refused: number;
    /** Undefined where the clients keep their figures. */
    readonly loss: number | undefined;
    readonly seconds: number;
  };
  readonly heldOut?: HeldOut;
}

export interface CurrentClient {
  readonly name: string;
  /** 1-based, among the round's clients. */
  readonly place: number;
  readonly step: number;
  readonly steps: number;
}

/** Number of optimizer steps that the speed and the time left are averaged over. */
const RECENT_STEPS = 50;

/**
 * The state of a run, folded from its events: the current round, and each round's results once they are complete. It has
 * no clock: times come from the events.
 */
export class RunProgress {
  readonly #evaluateEvery: number;
  #start: EventOf<"run-start"> | undefined;
  #round: EventOf<"round-start"> | undefined;
  #pending: RoundResult | undefined;
  readonly #scores = new HeldOutScores();
  #evaluationSeconds = 0;
  /** Wall time of the benchmarks of the last round that had any. */
  #benchmarks = { round: -1, seconds: 0 };
  readonly #steps = new Map<string, number>();
  readonly #over = new Set<string>();
  #current: CurrentClient | undefined;
  #loss: number | undefined;
  #recent: EventOf<"client-step">[] = [];
  #ended = false;

  constructor({ evaluateEvery }: { readonly evaluateEvery: number }) {
    this.#evaluateEvery = evaluateEvery;
  }

  /** Adds an event. Returns the round that the event completes, if any. */
  apply(event: RunEvent): RoundResult | undefined {
    switch (event.type) {
      case "run-start":
        this.#start = event;
        return undefined;
      case "round-start":
        this.#round = event;
        this.#steps.clear();
        this.#over.clear();
        this.#current = undefined;
        this.#loss = undefined;
        return this.takePending();
      case "client-start":
        this.#steps.set(event.client, event.steps);
        // Clients train in order: those before this one that never started were done before a restart.
        for (const name of this.#round?.clients ?? []) {
          if (name === event.client) break;
          this.#over.add(name);
        }
        this.#current = { name: event.client, place: this.#placeOf(event.client), step: 0, steps: event.steps };
        return undefined;
      case "client-step":
        this.#current = {
          name: event.client,
          place: this.#placeOf(event.client),
          step: event.step,
          steps: this.#steps.get(event.client) ?? event.step,
        };
        this.#loss = event.loss;
        this.#recent.push(event);
        if (this.#recent.length > RECENT_STEPS) this.#recent.shift();
        return undefined;
      case "client-update":
      case "client-refused":
        this.#over.add(event.client);
        return undefined;
      case "round-end": {
        const { round, accepted, refused, loss, seconds } = event;
        const learningRate = this.#round?.learningRate ?? Number.NaN;
        this.#pending = {
          round,
          trained: { learningRate, accepted: accepted.length, refused: refused.length, loss, seconds },
        };
        this.#round = undefined;
        return undefined;
      }
      case "evaluation-end":
        this.#scores.add(event);
        return undefined;
      case "benchmark-end": {
        const before = this.#benchmarks.round === event.round ? this.#benchmarks.seconds : 0;
        this.#benchmarks = { round: event.round, seconds: before + event.seconds };
        return undefined;
      }
      case "run-end":
        this.#ended = true;
        return this.takePending();
      default:
        return undefined;
    }
  }

  /** The last round, complete or not. Each round is given once. */
  takePending(): RoundResult | undefined {
    const heldOut = this.#scores.take();
    if (heldOut !== undefined) this.#evaluationSeconds = heldOut.seconds;
    const pending = this.#pending ?? (heldOut === undefined ? undefined : { round: heldOut.round });
    this.#pending = undefined;
    return pending && { ...pending, ...(heldOut && { heldOut }) };
  }

  get start(): EventOf<"run-start"> | undefined {
    return this.#start;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** The round that clients are training in. */
  get round(): EventOf<"round-start"> | undefined {
    return this.#round;
  }

  /** The round that waits for its evaluation. */
  get pending(): RoundResult | undefined {
    return this.#pending;
  }

  get current(): CurrentClient | undefined {
    return this.#current;
  }

  get loss(): number | undefined {
    return this.#loss;
  }

  /** Finished share of the round's local steps, from 0 to 1. */
  get roundFraction(): number {
    const { done, all } = this.#roundSteps();
    return all === 0 ? 0 : done / all;
  }

  get supervisedTokensPerSecond(): number | undefined {
    const seconds = this.#recent.reduce((sum, step) => sum + step.seconds, 0);
    if (seconds === 0) return undefined;
    const tokens = this.#recent.reduce((sum, step) => sum + (step.supervisedTokens ?? 0), 0);
    return tokens === 0 ? undefined : tokens / seconds;
  }

  /** Seconds to the end of the run at the pace so far, with evaluations and benchmarks; undefined before the first step. */
  get secondsLeft(): number | undefined {
    if (this.#start === undefined || this.#round === undefined || this.#recent.length === 0) return undefined;
    const perStep = this.#recent.reduce((sum, step) => sum + step.seconds, 0) / this.#recent.length;
    const { done, all } = this.#roundSteps();
    const { rounds } = this.#start;
    let left = (all - done + (rounds - this.#round.round) * all) * perStep;
    for (let round = this.#round.round; round <= rounds; round++) {
      if (evaluationDue(round, rounds, this.#evaluateEvery)) left += this.#evaluationSeconds + this.#benchmarks.seconds;
    }
    return left;
  }

  #roundSteps(): { done: number; all: number } {
    const known = [...this.#steps.values()];
    const typical = known.length === 0 ? 0 : known.reduce((sum, steps) => sum + steps, 0) / known.length;
    let done = 0;
    let all = 0;
    for (const name of this.#round?.clients ?? []) {
      const steps = this.#steps.get(name) ?? typical;
      all += steps;
      if (this.#over.has(name)) done += steps;
      else if (this.#current?.name === name) done += this.#current.step;
    }
    return { done, all };
  }

  #placeOf(client: string): number {
    return (this.#round?.clients.indexOf(client) ?? -1) + 1;
  }
}
