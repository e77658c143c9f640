import type { EmitEvent, RunEvent } from "../federation/events.ts";
import { initAdapter } from "../model/adapter.ts";
import type { Params } from "../tensor/params.ts";
import type { RunGrading } from "./evaluation/benchmarks.ts";
import { type Engines, openEngines } from "./engines.ts";
import type { ScoringOptions } from "./parties.ts";
import type { Platform, RunStore } from "./ports.ts";
import type { Prepared } from "./prepare.ts";
import { openRunLog, type RunLog } from "./run-log.ts";

export interface RunOptions {
  /** Every event as it happens, also those of a resumed part. */
  readonly emit?: EmitEvent | undefined;
  /** One line about long work between events. */
  readonly onProgress?: ((message: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The tools that grade benchmarks besides the answers; default: no code runner and no judge. */
  readonly grading?: RunGrading | undefined;
}

/** A process at work on a run, whichever half it plays. */
export interface Session {
  readonly log: RunLog;
  readonly engines: Engines;
  /** The adapter of round 0: it changes nothing. */
  readonly initialAdapter: Params;
  readonly scoring: ScoringOptions;
  readonly close: () => Promise<void>;
}

/** Opens the log and the engines of a run. `holds` tells which events of an interrupted run stay in the log. */
export async function openSession(
  prepared: Prepared,
  platform: Platform,
  store: RunStore,
  holds: (event: RunEvent) => boolean,
  { emit, onProgress, signal, grading = {} }: RunOptions,
): Promise<Session> {
  const { config, model } = prepared;
  const log = await openRunLog(store, holds, config.output, emit);
  const initialAdapter = initAdapter(config.adapter, model.modelConfig, config.seed);
  const engines = openEngines(prepared, platform, store, initialAdapter, { ...log.events, onProgress, signal });
  return {
    log,
    engines,
    initialAdapter,
    scoring: { platform, store, engines, grading, onProgress },
    async close() {
      await log.close();
      await engines.dispose();
    },
  };
}
