import { overallScore, scoresBySet } from "../../federation/evaluation.ts";
import type { EventOf } from "../../federation/events.ts";

type Score = EventOf<"evaluation-end">;

/** One evaluation, with all held-out sets together. */
export interface HeldOut {
  readonly round: number;
  /** Mean over all sets. */
  readonly loss: number;
  /** Further means over all sets, by name. */
  readonly metrics: Readonly<Record<string, number>>;
  /** The loss of the evaluation before, if this process saw it. */
  readonly before: number | undefined;
  /** One score for each set. */
  readonly sets: readonly Score[];
  /** Wall time of all scores. */
  readonly seconds: number;
}

/** Collects the scores of an evaluation. They come one by one, and are complete at the next other event. */
export class HeldOutScores {
  #scores: Score[] = [];
  #before: number | undefined;

  add(score: Score): void {
    this.#scores.push(score);
  }

  /** The evaluation of the scores since the last call; undefined if there are none. */
  take(): HeldOut | undefined {
    const scores = this.#scores;
    const [first] = scores;
    if (first === undefined) return undefined;
    const sets = scoresBySet(scores);
    const overall = overallScore(sets);
    const seconds = scores.reduce((sum, score) => sum + score.seconds, 0);
    const evaluation = { round: first.round, ...overall, before: this.#before, sets, seconds };
    this.#scores = [];
    this.#before = overall.loss;
    return evaluation;
  }
}
