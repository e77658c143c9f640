import type { EmitEvent } from "../federation/events.ts";
import { eventsThatHold, isOver } from "../federation/resume.ts";
import { simulate } from "../federation/simulate.ts";
import { initAdapter } from "../model/adapter.ts";
import { checkGrading, type RunGrading } from "./benchmarks.ts";
import { openEngines } from "./engines.ts";
import { clientEvaluation, clientHalf, coordinatorEvaluation, coordinatorRules, memberOf } from "./parties.ts";
import type { Platform, RunStore } from "./ports.ts";
import type { Prepared } from "./prepare.ts";
import { finishRun, readSummary } from "./finish-run.ts";
import { roundKeeper, saveRoundAdapter } from "./save-adapters.ts";
import { bindRun, trainerFingerprints } from "./run-identity.ts";
import { openRunLog } from "./run-log.ts";
import type { RunSummary } from "./summary.ts";

export interface RunOptions {
  /** Every event as it happens, also those of a resumed part. */
  readonly emit?: EmitEvent | undefined;
  /** One line about long work between events. */
  readonly onProgress?: ((message: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The tools that grade benchmarks besides the answers; default: no code runner and no judge. */
  readonly grading?: RunGrading | undefined;
}

/**
 * Runs a prepared experiment in a run store, or goes on with the run that is in it. Killed anywhere and called again,
 * it ends with the same adapter, byte for byte.
 *
 * @throws UserError: `config` for a store with another run in it, and those of `simulate`.
 */
export async function runExperiment(
  prepared: Prepared,
  platform: Platform,
  store: RunStore,
  options: RunOptions = {},
): Promise<RunSummary> {
  const { config, model, clients, trainers } = prepared;
  const { grading = {}, emit, onProgress, signal } = options;
  checkGrading(config, grading);
  const data = await trainerFingerprints(prepared);
  const identity = await bindRun(prepared, store, platform.threads, data);
  const earlier = await readSummary(store);
  const rules = { store: store.exchange, ...coordinatorRules(prepared, trainers.length) };
  const holds = await eventsThatHold(store.exchange, !(await isOver(rules)));
  const log = await openRunLog(store, holds, config.output, emit);
  const initialAdapter = initAdapter(config.adapter, model.config, config.seed);
  const { events } = log;
  const engines = openEngines(prepared, platform, store, initialAdapter, { ...events, onProgress, signal });
  try {
    for (const { name, report } of clients) events.emit({ type: "data-report", client: name, ...report });
    await saveRoundAdapter(prepared, store, log, 0, initialAdapter);
    const keeper = roundKeeper(prepared, store, log);
    const scoring = { platform, store, engines, grading, onProgress };
    const outcome = await simulate({
      ...rules,
      ...clientHalf(prepared, engines, store.clientStore, store.exchange),
      initialAdapter,
      identity,
      clients: trainers.map((trainer, i) => ({ ...memberOf(trainer), data: data[i]! })),
      evaluate: coordinatorEvaluation(prepared, scoring),
      evaluateClient: (client) => clientEvaluation(prepared, scoring, client),
      onRound: keeper.keep,
      events,
      signal,
    });
    return await finishRun(prepared, outcome, { platform, store, log, keeper, engines, earlier, signal });
  } finally {
    log.close();
    await engines.dispose();
  }
}
