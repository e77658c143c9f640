import { overallScore, scoresBySet } from "../../federation/evaluation.ts";
import type { EventOf, RunEvent } from "../../federation/events.ts";
import { benchmarkText } from "./benchmark-text.ts";
import { earlyStopText } from "./best-round-text.ts";
import type { Output } from "../output.ts";
import {
  counted,
  formatChange,
  formatCount,
  formatDuration,
  formatLearningRate,
  formatLoss,
  formatMetric,
  metricName,
  roundText,
} from "./quantities.ts";
import { dataNote, someNames, type RunFacts } from "./run-facts.ts";
import type { RunView } from "./run-view.ts";
import { oneLine } from "./text-width.ts";

/** Lines for a log: one for the start, each evaluation, each round's end and the end. No control characters. */
export class PlainLines {
  readonly #facts: RunFacts;
  readonly #reports: EventOf<"data-report">[] = [];
  #rounds = 0;
  #trained = false;
  #learningRate = Number.NaN;
  #scores: EventOf<"evaluation-end">[] = [];
  #heldOut: number | undefined;

  constructor(facts: RunFacts) {
    this.#facts = facts;
  }

  apply(event: RunEvent): string[] {
    if (event.type === "evaluation-end") {
      this.#scores.push(event);
      return [];
    }
    return [...this.takeEvaluation(), ...this.#lines(event)];
  }

  /** Gives the line of an evaluation. Its scores come one by one, and are complete at the next other event or at the end. */
  takeEvaluation(): string[] {
    const [first] = this.#scores;
    if (first === undefined) return [];
    const scores = scoresBySet(this.#scores);
    const { loss, metrics } = overallScore(scores);
    const before = this.#heldOut;
    const change = before === undefined ? "" : ` (${formatChange(before, loss)})`;
    const more = Object.entries(metrics).map(([name, value]) => `, ${metricName(name)} ${formatMetric(name, value)}`);
    const sets = scores.map((score) => `${oneLine(score.set)} ${formatLoss(score.loss)}`);
    const shown =
      sets.length === 1
        ? ""
        : `: ${sets.length <= 8 ? sets.join(", ") : `${sets.slice(0, 7).join(", ")} and ${formatCount(sets.length - 7)} more`}`;
    this.#heldOut = loss;
    this.#scores = [];
    return [`evaluation ${roundText(first.round)}: held-out loss ${formatLoss(loss)}${change}${more.join("")}${shown}`];
  }

  #lines(event: RunEvent): string[] {
    switch (event.type) {
      case "data-report":
        this.#reports.push(event);
        return [];
      case "run-start": {
        this.#rounds = event.rounds;
        const names = someNames(
          event.clients.map(({ name }) => name),
          4,
        );
        const start = `start: ${oneLine(this.#facts.model)}, ${counted(event.clients.length, "client")} (${names}), ${counted(event.rounds, "round")} of ${event.algorithm}, ${this.#facts.adapter}, in ${oneLine(this.#facts.folder)}`;
        const note = dataNote(this.#reports, this.#facts.maxLength);
        return note === undefined ? [start] : [start, `data: ${note}`];
      }
      case "run-resume":
        return [`continuing with round ${event.afterRound + 1}`];
      case "reference-end":
        return [
          `reference: the base scored ${counted(event.records, event.set === "train" ? "record" : "held-out record")} of ${oneLine(event.client)}, ${formatDuration(event.seconds)}`,
        ];
      case "round-start":
        this.#trained = true;
        this.#learningRate = event.learningRate;
        return [];
      case "client-refused":
        return [`round ${event.round} leaves out ${oneLine(event.client)}: ${oneLine(event.reason)}`];
      case "round-end":
        return [
          `round ${event.round}/${this.#rounds}: train loss ${formatLoss(event.loss)}, ${counted(event.accepted.length, "client")}, lr ${formatLearningRate(this.#learningRate)}, ${formatDuration(event.seconds)}`,
        ];
      case "benchmark-end":
        return [benchmarkText(event)];
      case "early-stop":
        return [earlyStopText(event)];
      case "run-end":
        return [
          this.#trained
            ? `end: ${counted(event.rounds, "round")}, ${formatDuration(event.seconds)}`
            : `end: all ${event.rounds} rounds were already done`,
        ];
      default:
        return [];
    }
  }
}

/** Shows a run in a log file or a pipe. */
export function plainView(output: Output): RunView {
  let lines: PlainLines | undefined;
  const write = (texts: readonly string[]): void => texts.forEach((text) => output.write(`${text}\n`));
  return {
    begin(facts) {
      lines = new PlainLines(facts);
    },
    event(event) {
      if (lines !== undefined) write(lines.apply(event));
    },
    note: (text) => write([text]),
    waiting() {},
    close() {
      if (lines !== undefined) write(lines.takeEvaluation());
    },
  };
}

/** Writes each event as a line of JSON to `output`, and notes for people to `notes`. */
export function jsonView(output: Output, notes: Output): RunView {
  return {
    begin() {},
    event: (event) => output.write(`${JSON.stringify(event)}\n`),
    note: (text) => notes.write(`${text}\n`),
    waiting() {},
    close() {},
  };
}
