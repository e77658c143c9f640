import type { RunEvent } from "../../federation/events.ts";
import type { RunFacts } from "./run-facts.ts";

/** A consumer of one run's events. */
export interface RunView {
  /** What the run is; before its first event. */
  begin(facts: RunFacts): void;
  event(event: RunEvent): void;
  /** A line from outside the stream of events. */
  note(text: string): void;
  /** What is being done where no event tells, for a line that is redrawn; not for logs. */
  waiting(text: string): void;
  /** Leaves the terminal as it was found. Nothing else is called afterwards. */
  close(): void;
}
