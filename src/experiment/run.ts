import { UserError } from "../diagnostics/user-error.ts";
import type { FederationOutcome } from "../federation/coordination.ts";
import type { EmitEvent } from "../federation/events.ts";
import { eventsThatHold, isOver } from "../federation/resume.ts";
import { simulate } from "../federation/simulate.ts";
import { initAdapter } from "../model/adapter.ts";
import type { Runtime } from "../train/runtime.ts";
import { answerPrompts } from "./answers.ts";
import { checkGrading, type RunGrading } from "./benchmarks.ts";
import { openEngines } from "./engines.ts";
import { clientEvaluation, clientHalf, coordinatorEvaluation, coordinatorRules } from "./parties.ts";
import type { Platform, RunStore } from "./ports.ts";
import type { Prepared } from "./prepare.ts";
import { roundKeeper, saveFinalAdapters, saveRoundAdapter } from "./save-adapters.ts";
import { bindRun, trainerFingerprints } from "./run-identity.ts";
import { openRunLog } from "./run-log.ts";
import { summarise } from "./summarise.ts";
import type { PromptAnswer, RunSummary } from "./summary.ts";

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
  const earlier = (await store.readJson("metrics.json")) as { summary?: RunSummary } | undefined;
  const rules = { store: store.exchange, ...coordinatorRules(prepared, clients.length) };
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
      clients: trainers.map(({ name, train }, i) => ({
        name,
        records: train.length,
        heldOut: heldOutCount(prepared, name),
        data: data[i]!,
      })),
      evaluate: coordinatorEvaluation(prepared, scoring),
      evaluateClient: (client) => clientEvaluation(prepared, scoring, client),
      onRound: keeper.keep,
      events,
      signal,
    });
    const clientAdapters = await saveFinalAdapters(prepared, store, outcome.adapters);
    // The engines hold copies of the weights, and nothing more is asked of them.
    await engines.dispose();
    // Answers take as long as a round on a small machine, so those of an earlier end of the same run are kept.
    const kept = earlier?.summary?.adapter === outcome.head.adapter ? earlier.summary.answers : undefined;
    const answers = kept ?? (await answer(prepared, platform.runtime, outcome, signal));
    const summary = summarise(prepared, outcome, log.metrics, { clientAdapters, answers, ...keeper.bests() });
    const { metrics } = log;
    await store.saveJson("metrics.json", {
      rounds: metrics.rounds(),
      totals: metrics.totals(),
      ...keeper.bests(),
      summary,
    });
    return summary;
  } finally {
    log.close();
    await engines.dispose();
  }
}

function heldOutCount({ clients, algorithm }: Prepared, trainer: string): number {
  const own = algorithm.data === "pooled" ? clients : clients.filter(({ name }) => name === trainer);
  return own.reduce((sum, { heldOut }) => sum + heldOut.items.length, 0);
}

async function answer(
  prepared: Prepared,
  runtime: Runtime,
  { head, adapter: after, adapters }: FederationOutcome,
  signal: AbortSignal | undefined,
): Promise<readonly PromptAnswer[]> {
  const { config, model } = prepared;
  // Where every client has an adapter of its own there is none to answer with.
  if (config.evaluation.prompts.length === 0 || adapters.clients !== undefined) return [];
  const before = initAdapter(config.adapter, model.config, config.seed);
  try {
    return await answerPrompts(prepared, runtime, { before, after }, signal);
  } catch (error) {
    if (error !== signal?.reason) throw error;
    throw new UserError("interrupted", `Stopped while answering prompts; all ${head.round} rounds are safe.`, {
      hint: "Run the same command again to continue.",
      cause: error,
    });
  }
}
