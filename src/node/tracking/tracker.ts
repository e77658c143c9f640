import type { RunEvent } from "../../federation/events.ts";
import type { EnvironmentVariables } from "../federation/environment.ts";

/** A place that a run's events are sent to while it goes on. It never stops the run. */
export interface Tracker {
  /** Takes an event, and waits for nothing: before `begin` those that the log holds, after it each new one. */
  take(event: RunEvent): void;
  /** Begins to send. */
  begin(): void;
  /** Sends what waits, for some seconds at most. */
  close(): Promise<void>;
}

export interface TrackerOptions {
  /** The run folder. `config.json` is in it. */
  readonly folder: string;
  readonly env: EnvironmentVariables;
  /** A sentence for the person. */
  readonly onNote: (note: string) => void;
}

/** A kind of tracker. */
export interface TrackerKind<Settings> {
  /** @throws UserError of kind `config` where the environment lacks what the tracker needs. */
  readonly check: (settings: Settings, env: EnvironmentVariables) => void;
  readonly open: (settings: Settings, options: TrackerOptions) => Promise<Tracker>;
}
