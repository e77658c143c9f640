import type { CountedWork } from "../../concurrency/counted-work.ts";
import type { RunEvent } from "../../federation/events.ts";
import type { RunFacts } from "./run-facts.ts";

/** A consumer of one run's events. */
export interface RunView {
  /** Gives the facts of the run, before its first event. */
  begin(facts: RunFacts): void;
  event(event: RunEvent): void;
  /** Shows a line that is not from an event. */
  note(text: string): void;
  /** Shows how far work between events is, and the time that is left. A log tells long work only. */
  counting(work: CountedWork): void;
  /** Restores the terminal. No other call follows. */
  close(): void;
}
