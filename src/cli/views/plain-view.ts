import type { EventOf, RunEvent } from "../../federation/events.ts";
import { benchmarkText } from "./benchmark-text.ts";
import { earlyStopText } from "./best-round-text.ts";
import type { Output } from "../output.ts";
import { HeldOutScores } from "./held-out.ts";
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
  trainLossText,
} from "./quantities.ts";
import { dataNote, someNames, type RunFacts } from "./run-facts.ts";
import { membershipText, withheldText } from "./membership-text.ts";
import { privacyText } from "./privacy-text.ts";
import type { RunView } from "./run-view.ts";
import { oneLine } from "./text-width.ts";
import { workLog } from "./work-clock.ts";

/** The lines of a log: the start, each evaluation, the end of each round and the end. They have no control characters. */
export class PlainLines {
  readonly #facts: RunFacts;
  readonly #reports: EventOf<"data-report">[] = [];
  #rounds = 0;
  #trained = false;
  #learningRate = Number.NaN;
  readonly #scores = new HeldOutScores();
  /** Clients without weight in the result of the round that is being closed. */
  #cut: EventOf<"update-weighed">[] = [];

  constructor(facts: RunFacts) {
    this.#facts = facts;
  }

  apply(event: RunEvent): string[] {
    if (event.type === "evaluation-end") {
      this.#scores.add(event);
      return [];
    }
    return [...this.takeEvaluation(), ...this.#lines(event)];
  }

  /** The line of an evaluation, if all its scores have come: at the next other event, or at the end. */
  takeEvaluation(): string[] {
    const evaluation = this.#scores.take();
    if (evaluation === undefined) return [];
    const { round, loss, metrics, before } = evaluation;
    const change = before === undefined ? "" : ` (${formatChange(before, loss)})`;
    const more = Object.entries(metrics).map(([name, value]) => `, ${metricName(name)} ${formatMetric(name, value)}`);
    const sets = evaluation.sets.map((score) => `${oneLine(score.set)} ${formatLoss(score.loss)}`);
    const shown =
      sets.length === 1
        ? ""
        : `: ${sets.length <= 8 ? sets.join(", ") : `${sets.slice(0, 7).join(", ")} and ${formatCount(sets.length - 7)} more`}`;
    return [`evaluation ${roundText(round)}: held-out loss ${formatLoss(loss)}${change}${more.join("")}${shown}`];
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
          `reference: ${counted(event.records, event.set === "train" ? "record" : "held-out record")} of ${oneLine(event.client)} scored, ${formatDuration(event.seconds)}`,
        ];
      case "round-start":
        this.#trained = true;
        this.#learningRate = event.learningRate;
        return [];
      case "privacy-spent":
        return [privacyText(event)];
      case "evaluation-withheld":
        return [withheldText(event)];
      case "client-declined":
      case "client-joined":
      case "client-left":
        return [membershipText(event)];
      case "client-refused":
        return [`round ${event.round} leaves out ${oneLine(event.client)}: ${oneLine(event.reason)}`];
      case "update-weighed":
        if (event.weight === 0) this.#cut.push(event);
        return [];
      case "round-end":
        if (event.failed !== undefined)
          return [`round ${event.round}/${this.#rounds} has no sum: ${oneLine(event.failed)}`];
        return [
          ...this.#takeCut(),
          `round ${event.round}/${this.#rounds}: train loss ${trainLossText(event.loss)}, ${counted(event.accepted.length, "client")}, lr ${formatLearningRate(this.#learningRate)}, ${formatDuration(event.seconds)}`,
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

  #takeCut(): string[] {
    const cut = this.#cut;
    this.#cut = [];
    if (cut.length === 0) return [];
    const named = cut.map(({ client, reason }) => `${oneLine(client)}${reason === undefined ? "" : ` (${reason})`}`);
    return [`round ${cut[0]!.round} gives no weight to ${someNames(named, 6)}`];
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
    counting: workLog((line) => write([line])),
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
    counting() {},
    close() {},
  };
}
