import type { OnCount } from "../concurrency/counted-work.ts";
import type { EmitEvent, RunEvent } from "../federation/events.ts";
import { type Params, zerosLike } from "../tensor/params.ts";
import type { RunGrading } from "./evaluation/benchmarks.ts";
import { type Engines, openEngines } from "./engines.ts";
import type { ScoringOptions } from "./parties.ts";
import type { Platform, RunStore } from "./ports.ts";
import type { Prepared } from "./prepare.ts";
import { openRunLog, type RunLog } from "./run-log.ts";
import { initialAdapter } from "./starting-adapter.ts";

export interface RunOptions {
  /** Every event as it happens, also those of a resumed part. */
  readonly emit?: EmitEvent | undefined;
  /** Work of which the amount is known, between events: scoring, benchmarks, answers, references. */
  readonly onCount?: OnCount | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The tools that grade benchmarks besides the answers; default: no code runner and no judge. */
  readonly grading?: RunGrading | undefined;
}

/** A process at work on a run, whichever half it plays. */
export interface Session {
  readonly log: RunLog;
  readonly engines: Engines;
  /** The adapter of round 0. */
  readonly initialAdapter: Params;
  readonly scoring: ScoringOptions;
  readonly close: () => Promise<void>;
}

/**
 * Opens the log and the engines of a run. `holds` tells which events of an interrupted run stay in the log; `first` gives the
 * adapter of round 0 where this process does not know it.
 */
export async function openSession(
  prepared: Prepared,
  platform: Platform,
  store: RunStore,
  holds: (event: RunEvent) => boolean,
  { emit, onCount, signal, grading = {} }: RunOptions,
  first?: () => Promise<Params>,
): Promise<Session> {
  const log = await openRunLog(store, holds, prepared.config.output, emit);
  const initial = initialAdapter(prepared);
  // A fresh adapter changes nothing: the reference is the base alone, to the bit.
  const reference = first ?? (async () => (prepared.start === undefined ? zerosLike(initial) : initial));
  const engines = openEngines(prepared, platform, store, reference, { ...log.events, onCount, signal });
  return {
    log,
    engines,
    initialAdapter: initial,
    scoring: { platform, store, engines, grading, onCount },
    async close() {
      await log.close();
      await engines.dispose();
    },
  };
}
